"""A good checkpoint taken apart, and put together again by hand: with right digests, whatever it holds."""

import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TYPES = {
    "F32": "float32",
    "F64": "float64",
    "I64": "int64",
    "BOOL": "bool",
    "C64": "complex64",
    "F8_E4M3": "float8_e4m3fn",
}


@dataclass
class Parts:
    """A checkpoint's own header, and its tensors as safetensors' type, shape and bytes."""

    fields: dict[str, Any]
    tensors: dict[str, tuple[str, list[int], bytes]]
    said: dict[str, Any] = field(default_factory=dict)
    """What the header says of tensors where that is not the truth."""


def take_apart(path: Path) -> Parts:
    """Return the parts of a checkpoint."""
    content = path.read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    table = json.loads(content[8:end])
    fields = json.loads(table.pop("__metadata__")["ganctl"].partition("\n")[2])
    del fields["tensors"]
    tensors = {}
    for name, entry in table.items():
        first, last = entry["data_offsets"]
        tensors[name] = (entry["dtype"], entry["shape"], content[end + first : end + last])
    return Parts(fields, tensors)


def metadata(text: str, *, digest: str | None = None) -> dict[str, Any]:
    """Return the one entry of a checkpoint's metadata, its sha256 right unless another is given."""
    return {"__metadata__": {"ganctl": f"{digest or hashlib.sha256(text.encode()).hexdigest()}\n{text}"}}


def table(parts: Parts) -> tuple[dict[str, Any], bytes]:
    """Return safetensors' table of the tensors, and their bytes one after the other."""
    entries, body = {}, b""
    for name, (dtype, shape, content) in parts.tensors.items():
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(body), len(body) + len(content)]}
        body += content
    return entries, body


def text_of(parts: Parts) -> str:
    """Return the JSON that a checkpoint's own sha256 is taken over."""
    identities = {
        name: [TYPES.get(dtype, dtype), shape, hashlib.sha256(content).hexdigest()]
        for name, (dtype, shape, content) in parts.tensors.items()
    }
    return json.dumps(parts.fields | {"tensors": identities | parts.said}, sort_keys=True)


def file_of(header: bytes, body: bytes = b"", length: int | None = None) -> bytes:
    """Return a safetensors file; `length` is what it says of its header, the truth if None."""
    return (len(header) if length is None else length).to_bytes(8, "little") + header + body


def put_together(parts: Parts, text: str | None = None) -> bytes:
    """Return the file of the parts, with another text of the same form in place of their own if one is given."""
    entries, body = table(parts)
    return file_of(json.dumps(metadata(text_of(parts) if text is None else text) | entries).encode(), body)


def changed(change: Callable[[Parts], None]) -> Callable[[Parts], bytes]:
    """Return a builder of the good checkpoint's file after a change to its parts."""

    def build(good: Parts) -> bytes:
        parts = copy.deepcopy(good)
        change(parts)
        return put_together(parts)

    return build


def with_config(key: str, value: Any) -> Callable[[Parts], bytes]:
    """Return a builder of a file whose config holds a value at a dotted key."""

    def change(parts: Parts) -> None:
        set_key(parts.fields["config"], key, value)

    return changed(change)


def with_field(name: str, value: Any) -> Callable[[Parts], bytes]:
    """Return a builder of a file whose header holds a value."""
    return changed(lambda parts: parts.fields.__setitem__(name, value))


def set_key(tree: dict[str, Any], key: str, value: Any) -> None:
    """Set a dotted key of a tree."""
    *groups, last = key.split(".")
    for group in groups:
        tree = tree.setdefault(group, {})
    tree[last] = value
