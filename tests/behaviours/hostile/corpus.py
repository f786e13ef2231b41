"""Hostile files by name: each as a function from a good checkpoint's parts to bytes, or to a place.

Their digests are right, for an attacker can compute them too.
"""

import gzip
import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.behaviours.hostile.configs import HOSTILE_VALUES
from tests.behaviours.hostile.parts import (
    Parts,
    changed,
    file_of,
    metadata,
    put_together,
    table,
    text_of,
    with_config,
    with_field,
)

Content = Callable[[Parts], bytes]
Place = Callable[[Path, Parts], None]

WEIGHT = "generator.dense.0.weight"
SLOT = "optimizer.generator.exp_avg.dense.0.weight"
SQUARE = SLOT.replace("exp_avg", "exp_avg_sq")
STEP = SLOT.replace("exp_avg", "step")
GIGABYTE = 10**9


class Touch:
    """A pickle of it makes a file named `pwned` when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def sparse(path: Path, start: bytes, length: int) -> None:
    path.write_bytes(start)
    os.truncate(path, length)


def sparse_tensor(path: Path, good: Parts) -> None:
    """Write a file of 10 GB whose one large tensor is where the header says it is."""
    parts = Parts(good.fields, {**good.tensors, "generator.large": ("F32", [5 * GIGABYTE // 2], b"")})
    entries, body = table(parts)
    entries["generator.large"]["data_offsets"][1] += 10 * GIGABYTE
    header = json.dumps(metadata(text_of(parts)) | entries).encode()
    start = file_of(header, body)
    sparse(path, start, len(start) + 10 * GIGABYTE)


PLACES: dict[str, Place] = {
    "a folder": lambda path, _: path.mkdir(),
    "a pipe": lambda path, _: os.mkfifo(path),
    "a link to a device": lambda path, _: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path, _: path.symlink_to(path.name),
    "a link to nowhere": lambda path, _: path.symlink_to("nowhere"),
    "10 GB of nothing": lambda path, _: sparse(path, b"", 10 * GIGABYTE),
    "a header of 10 GB that is there": lambda path, _: sparse(
        path, file_of(b"", length=10 * GIGABYTE), 11 * GIGABYTE
    ),
    "a tensor of 10 GB that is there": sparse_tensor,
}


def replaced(name: str, **entry: Any) -> Content:
    """Return a builder that changes a tensor's line in safetensors' table, and nothing else."""

    def build(good: Parts) -> bytes:
        entries, body = table(good)
        entries[name] |= entry
        return file_of(json.dumps(metadata(text_of(good)) | entries).encode(), body)

    return build


def header_text(change: Callable[[str], str]) -> Content:
    """Return a builder that changes our JSON as a text; its sha256 is right again."""
    return lambda good: put_together(good, change(text_of(good)))


def outer_text(change: Callable[[str], str]) -> Content:
    """Return a builder that changes safetensors' JSON as a text."""

    def build(good: Parts) -> bytes:
        entries, body = table(good)
        return file_of(change(json.dumps(metadata(text_of(good)) | entries)).encode(), body)

    return build


def shifted(first: int, last: int) -> Content:
    """Return a builder that moves a tensor's offsets."""

    def build(good: Parts) -> bytes:
        entries, body = table(good)
        offsets = entries[WEIGHT]["data_offsets"]
        entries[WEIGHT]["data_offsets"] = [offsets[0] + first, offsets[1] + last]
        return file_of(json.dumps(metadata(text_of(good)) | entries).encode(), body)

    return build


LENGTHS: dict[str, Content] = {
    "empty": lambda _: b"",
    "four bytes": lambda _: b"\x10\0\0\0",
    "no header": lambda _: file_of(b""),
    "a header said to have 10 GB": lambda good: file_of(put_together(good)[8:], length=10 * GIGABYTE),
    "a header said to have 2^64 - 1 bytes": lambda good: file_of(put_together(good)[8:], length=2**64 - 1),
    "16 MB of spaces in the header": outer_text(lambda text: text + " " * (16 << 20)),
    "cut in the header": lambda good: put_together(good)[:100],
    "cut in the last tensor": lambda good: put_together(good)[:-1],
    "more bytes than tensors": lambda good: put_together(good) + b"\0" * 8,
}
OFFSETS: dict[str, Content] = {
    "negative": replaced(WEIGHT, data_offsets=[-32, 0]),
    "overlapping": shifted(-4, -4),
    "with a hole": shifted(4, 4),
    "backwards": replaced(WEIGHT, data_offsets=[32, 0]),
    "beyond the file": replaced(WEIGHT, data_offsets=[0, 1 << 40]),
    "beyond 64 bits": replaced(WEIGHT, data_offsets=[0, 1 << 64]),
    "fractions": replaced(WEIGHT, data_offsets=[0.5, 32.5]),
    "one": replaced(WEIGHT, data_offsets=[0]),
}
SHAPES: dict[str, Content] = {
    "a huge shape": replaced(WEIGHT, shape=[1 << 40, 1 << 20]),
    "a shape whose product overflows to the right length": replaced(WEIGHT, shape=[(1 << 61) + 2, 4]),
    "a negative shape": replaced(WEIGHT, shape=[-4, -2]),
    "a shape of text": replaced(WEIGHT, shape=["4", "2"]),
    "a shape of a thousand dimensions": replaced(WEIGHT, shape=[4, 2, *[1] * 1000]),
    "another shape of the same length": replaced(WEIGHT, shape=[8]),
    "an unknown type": replaced(WEIGHT, dtype="F99"),
    "a type of another width": replaced(WEIGHT, dtype="F64"),
    "a type of the same width": replaced(WEIGHT, dtype="I32"),
}
JSONS: dict[str, Content] = {
    "safetensors' not JSON": outer_text(lambda text: text[:-1]),
    "safetensors' nested too deep": outer_text(lambda text: '{"a":' * 100_000),
    "safetensors' with a key twice": outer_text(lambda text: text[:-1] + ', "__metadata__": {}}'),
    "safetensors' a list": outer_text(lambda text: f"[{text}]"),
    "safetensors' not UTF-8": lambda good: file_of(b'{"\xff\xfe": 1}'),
    "safetensors' with 70,000 tensors": lambda _: file_of(
        json.dumps(
            {str(n): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(70_000)}
        ).encode()
    ),
    "no metadata": lambda good: file_of(json.dumps(table(good)[0]).encode(), table(good)[1]),
    "metadata that is no text": outer_text(lambda text: text.replace('{"ganctl": ', '{"a": 1, "ganctl": ')),
    "no digest": lambda good: file_of(b'{"__metadata__": {"ganctl": "{}"}}'),
    "a wrong digest": lambda good: file_of(json.dumps(metadata(text_of(good), digest="0" * 64)).encode()),
    "ours not JSON": header_text(lambda text: text[:-1]),
    "ours a list": header_text(lambda text: f"[{text}]"),
    "ours nested too deep": header_text(lambda text: "[" * 100_000),
    "ours with objects nested too deep": header_text(lambda text: '{"a":' * 100_000),
    "ours of 2,000,000 lists": header_text(lambda text: f"[{'[],' * 2_000_000}0]"),
    "ours of 1,000,000 numbers": header_text(lambda text: f'{{"config": [{"1.5," * 1_000_000}0], {text[1:]}'),
    "ours with a key twice": header_text(lambda text: text[:-1] + ', "step": 2}'),
    "ours with NaN": header_text(lambda text: text[:-1] + ', "more": NaN}'),
    "ours with Infinity": header_text(lambda text: text[:-1] + ', "more": -Infinity}'),
    "ours with 1e999": header_text(lambda text: text[:-1] + ', "more": 1e999}'),
    "ours with a number of 5,000 digits": header_text(lambda text: text[:-1] + f', "more": {"9" * 5000}}}'),
}
FIELDS: dict[str, Content] = {
    f"{name} is {json.dumps(value)[:30]}": with_field(name, value)
    for name, values in {
        "format": (99, "1", None, [1], {}),
        "step": ("1", True, -1, 1.5, 10**18 * 100, None, [1]),
        "shape": ([], [-2], [0], "2", [2.0], [1 << 40], [1, 1, 1, 1], [["2"]], None, [3], [3, 256, 256]),
        "data": (5, None, ["x"], {}),
        "versions": ([], {"torch": 2}, None, "2"),
        "logs": ([], {"metrics.jsonl": -1}, {"metrics.jsonl": "5"}, {"metrics.jsonl": 1 << 70}, None),
        "config": ([], None, "model", {}, 1),
        "inexact": ("x", [1], [{"from_step": -1, "because": "x"}], [{"because": "x"}]),
        "rollbacks": ({}, [{"to_step": 1}], [{"to_step": 1, "diverged_at": 2, "because": 3}]),
        "evaluation_due": ("yes", 1, None),
        "score": ("x", {}, {"by": "", "value": "1", "better": "lower"}, {"by": "", "value": 1.0, "better": "up"}),
        "classes": ("a", [1], [["a"]], {"a": 1}, ["a"], ["a"] * 100_000, [None], None),
        "_target_": ("os.system",),
        "more": (1,),
    }.items()
    for value in values
} | {
    f"{name} is missing": changed(lambda parts, name=name: parts.fields.__delitem__(name))  # type: ignore[misc]
    for name in ("format", "step", "shape", "data", "versions", "logs", "config")
}
TABLE: dict[str, Content] = {
    f"said to be {json.dumps(entry)[:40]}": changed(
        lambda parts, entry=entry: parts.said.__setitem__(WEIGHT, entry)  # type: ignore[misc]
    )
    for entry in (
        "float32",
        [],
        ["float32", [4, 2]],
        ["float64", [4, 2], "0" * 64],
        ["float32", [2, 4], "0" * 64],
        ["float32", [4, 2], 5],
        ["float32", [4, 2], "../../../etc/passwd"],
        [None, None, None],
        {"dtype": "float32"},
        7,
    )
}


def named(name: str) -> Content:
    """Return a builder of a file with one more tensor, of this name."""
    return changed(lambda parts: parts.tensors.__setitem__(name, ("F32", [1], b"\0\0\0\0")))


NAMES: dict[str, Content] = {
    f"a tensor named {name[:40]!r}": named(name)
    for name in (
        "",
        "generator",
        "os.system",
        "generator.../../../etc/passwd",
        "../../../etc/passwd",
        "/etc/passwd",
        "generator./etc/passwd",
        "generator.__class__.__init__.__globals__",
        "generator.dense.0.weight ",
        "generator.\x1b]0;owned\x07\x1b[2J",
        "generator.a\nb\r\nc",
        "generator.\u202egnp.exe",
        "generator.${oc.env:HOME}",
        "generator." + "a" * 1_000_000,
        "optimizer.attacker.exp_avg.dense.0.weight",
        "optimizer.generator.exp_avg.no_such_weight",
        "scaler.__dict__",
        "values.generator",
    )
} | {
    f"a log named {name[:20]!r}": with_field("logs", {name: 0})
    for name in ("..", ".", "", "../../.bashrc", "/etc/passwd", "a\\b", "a\0b", "a\nb", "x" * 300)
}


def tensor(name: str, dtype: str, shape: list[int], content: bytes) -> Content:
    """Return a builder of a file with this tensor in place of its own."""
    return changed(lambda parts: parts.tensors.__setitem__(name, (dtype, shape, content)))


TENSORS: dict[str, Content] = {
    "a weight is missing": changed(lambda parts: parts.tensors.__delitem__(WEIGHT)),
    "no tensors": changed(lambda parts: parts.tensors.clear()),
    "one more weight": named("generator.dense.9.weight"),
    "half an average": changed(lambda parts: parts.tensors.__delitem__(f"ema{WEIGHT.removeprefix('generator')}")),
    "a weight of another shape": tensor(WEIGHT, "F32", [2, 4], b"\0" * 32),
    "a weight without numbers": tensor(WEIGHT, "F32", [0], b""),
    "a weight of whole numbers": tensor(WEIGHT, "I64", [4, 2], b"\0" * 64),
    "a weight of complex numbers": tensor(WEIGHT, "C64", [4, 2], b"\0" * 64),
    "a weight of 8-bit numbers": tensor(WEIGHT, "F8_E4M3", [4, 2], b"\0" * 8),
    "a slot of another shape": tensor(SLOT, "F32", [1000, 1000], b"\0" * 4_000_000),
    "a slot that is one number": tensor(SLOT, "F32", [], b"\0" * 4),
    "both moments one number": changed(
        lambda parts: [parts.tensors.__setitem__(name, ("F32", [], b"\0" * 4)) for name in (SLOT, SQUARE)]
    ),
    "a slot of truth values": tensor(SLOT, "BOOL", [4, 2], b"\1" * 8),
    "a slot in double precision": tensor(SLOT, "F64", [4, 2], b"\0" * 64),
    "a slot is missing": changed(lambda parts: parts.tensors.__delitem__(SLOT)),
    "all slots of a weight are missing": changed(
        lambda parts: [parts.tensors.__delitem__(name) for name in (SLOT, SQUARE, STEP)]
    ),
    "an unknown slot": tensor(SLOT.replace("exp_avg", "no_slot"), "F32", [4, 2], b"\0" * 32),
    "a counter of a weight's shape": tensor(STEP, "F32", [4, 2], b"\0" * 32),
    "a counter in whole numbers": tensor(STEP, "I64", [], b"\1" + b"\0" * 7),
    "a scaler's scale without its counter": tensor("scaler.generator.scale", "F32", [], b"\0\0\x80\x3f"),
    "5,000 unknown values": changed(
        lambda parts: parts.tensors.update({f"values.generator.n{n}": ("F32", [], b"\0" * 4) for n in range(5000)})
    ),
    "a value is missing": changed(lambda parts: parts.tensors.__delitem__("values.generator.adversarial")),
    "a logged value of many": tensor("values.generator.adversarial", "F32", [1000, 1000], b"\0" * 4_000_000),
}
NAN, INFINITY = b"\0\0\xc0\x7f", b"\0\0\x80\x7f"
NUMBERS: dict[str, Content] = {
    "NaN in the average": tensor(WEIGHT.replace("generator", "ema"), "F32", [4, 2], NAN * 8),
    "infinity in the average": tensor(WEIGHT.replace("generator", "ema"), "F32", [4, 2], INFINITY * 8),
}
NUMBERS_OF_TRAINING: dict[str, Content] = {
    "NaN in a weight": tensor(WEIGHT, "F32", [4, 2], b"\0" * 28 + NAN),
    "other bytes than their sha256 says": changed(
        lambda parts: parts.said.__setitem__(WEIGHT, ["float32", [4, 2], "0" * 64])
    ),
    "NaN in the discriminator": tensor("discriminator.dense.0.weight", "F32", [4, 2], NAN * 8),
    "NaN in a slot": tensor(SLOT, "F32", [4, 2], NAN * 8),
    "infinity in a slot": tensor(SLOT, "F32", [4, 2], INFINITY * 8),
    "a negative square": tensor(SQUARE, "F32", [4, 2], b"\0\0\x80\xbf" * 8),
    "a negative counter": tensor(STEP, "F32", [], b"\0\0\x80\xbf"),
    "a counter of half an update": tensor(STEP, "F32", [], b"\0\0\0\x3f"),
    "a counter of more updates than steps": tensor(STEP, "F32", [], b"\0\0\x80\x4b"),
}
"""`sample` reads none of these tensors, so that only `resume` refuses them."""


def zip_bomb(_: Parts) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 100_000_000)
    return file.getvalue()


def torch_file(_: Parts) -> bytes:
    file = io.BytesIO()
    torch.save({"generator": torch.zeros(2), "hook": Touch()}, file)
    return file.getvalue()


FORMATS: dict[str, Content] = {
    "a pickle that calls os.system": lambda _: pickle.dumps(Touch()),
    "an old pickle that calls os.system": lambda _: pickle.dumps(Touch(), protocol=0),
    "a pickle behind a header's length": lambda _: file_of(pickle.dumps(Touch())),
    "a file of torch.save": torch_file,
    "a zip bomb": zip_bomb,
    "a gzip of a checkpoint": lambda good: gzip.compress(put_together(good)),
    "a shell script": lambda _: b"#!/bin/sh\ntouch pwned\n",
    "a Python file": lambda _: b"import os; os.system('touch pwned')\n",
    "a YAML file": lambda _: b"!!python/object/apply:os.system ['touch pwned']\n",
    "another program's safetensors": lambda good: file_of(json.dumps(table(good)[0]).encode(), table(good)[1]),
}
CONFIGS: dict[str, Content] = {
    f"{number}, {key[:40]} = {json.dumps(value)[:40]}": with_config(key, value)
    for number, (key, value) in enumerate(HOSTILE_VALUES)
}

CLASSES: dict[str, dict[str, Content]] = {
    "lengths": LENGTHS,
    "offsets": OFFSETS,
    "shapes and types": SHAPES,
    "JSON": JSONS,
    "fields of the header": FIELDS,
    "the header's table": TABLE,
    "names": NAMES,
    "configs": CONFIGS,
    "tensors": TENSORS,
    "numbers": NUMBERS | NUMBERS_OF_TRAINING,
    "other formats": FORMATS,
}


def placed(build: Content) -> Place:
    """Return a builder that writes the bytes of another."""
    return lambda path, good: path.write_bytes(build(good)) and None


CORPUS: dict[str, Place] = {f"places: {name}": place for name, place in PLACES.items()} | {
    f"{kind}: {name}": placed(build) for kind, files in CLASSES.items() for name, build in files.items()
}
"""Every hostile file, by class and name."""

ONLY_RESUME = frozenset(f"numbers: {name}" for name in NUMBERS_OF_TRAINING)
ONE_OF_EACH = frozenset(
    [f"places: {name}" for name in PLACES] + [f"{kind}: {min(files)}" for kind, files in CLASSES.items()]
)
"""Every place, and one file of each class."""
