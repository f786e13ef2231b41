"""One file of named tensors and a verified header: data, never code.

A checkpoint is a safetensors file. Its metadata has one entry, `ganctl`: a sha256, a line break, and the JSON
that it is taken over, with the fields of `Header` and the type, shape and sha256 of every tensor. (One entry,
because the library writes several in random order; so the same state gives the same bytes.)
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganctl.errors import CheckpointError, DamageError, WriteError
from ganctl.runtime.disk import sync, temporary

FORMAT = 1


Steps = Annotated[int, Field(ge=0)]


class Plain(BaseModel):
    """A part of the header: typed, without unknown keys, and immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Inexact(Plain):
    """Something that keeps a run from being bit for bit what it would have been: from which step on, and what."""

    from_step: Steps
    because: str


class Rollback(Plain):
    """A return to an earlier checkpoint because training diverged: from and to how many steps done, and why."""

    from_step: Steps
    to_step: Steps
    because: str


class Header(Plain):
    """What a checkpoint says of itself.

    `config` is the validated config as plain data, `step` the steps done, `shape` that of one sample,
    `data` the fingerprint of the data, `versions` those of Python, torch and ganctl, `logs` the byte
    lengths of the run's log files when it was written; `inexact` and `rollbacks` are the run's history.
    """

    config: dict[str, Any]
    step: Steps
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    data: str
    versions: dict[str, str]
    logs: dict[str, Steps]
    inexact: tuple[Inexact, ...] = ()
    rollbacks: tuple[Rollback, ...] = ()


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint whose header has been verified; tensors are read and verified on demand."""

    path: Path
    header: Header
    tensors: dict[str, list[Any]]

    def read(self, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, Tensor]:
        """Return the tensors whose names are wanted, on the CPU.

        Raises `DamageError` naming the first tensor whose bytes are not those that were written.
        """
        tensors = {}
        with _opened(self.path) as file:
            for name in filter(wanted, self.tensors):
                try:
                    tensors[name] = file.get_tensor(name)
                except (SafetensorError, OSError) as error:
                    raise DamageError(f"{self.path}: {name} cannot be read ({error})") from error
                if _identity(tensors[name]) != self.tensors[name]:
                    raise DamageError(f"{self.path}: {name} is damaged (its bytes do not match its sha256)")
        return tensors


def write(path: Path, header: Header, tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint: a temporary file, synced, then renamed, so that `path` is whole or absent.

    Raises `WriteError` if it cannot be written; what was there before is untouched.
    """
    still = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    identities = {name: _identity(tensor) for name, tensor in still.items()}
    text = json.dumps({"format": FORMAT, **header.model_dump(), "tensors": identities}, sort_keys=True)
    unfinished = temporary(path)
    try:
        unfinished.touch()
        mode = unfinished.stat().st_mode
        save_file(still, unfinished, {"ganctl": f"{_sha256(text)}\n{text}"})
        unfinished.chmod(mode)  # the library's file, which took the place of ours, is its owner's alone
        sync(unfinished)
        unfinished.replace(path)
        sync(path.parent)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise WriteError.of(path, _system_number(error)) from error


def _system_number(error: OSError | SafetensorError) -> int | None:
    if isinstance(error, OSError):
        return error.errno
    found = re.search(r"os error (\d+)", str(error))
    return int(found[1]) if found else None


def read_header(path: Path) -> Checkpoint:
    """Open a checkpoint and verify its header; no tensor is read.

    Raises `CheckpointError` if it is missing, damaged, or no checkpoint of ganctl.
    """
    with _opened(path) as file:
        metadata, names = file.metadata() or {}, set(file.keys())
    digest, found, text = metadata.get("ganctl", "").partition("\n")
    if not found:
        raise CheckpointError(f"{path}: a safetensors file, but no checkpoint of ganctl")
    if digest != _sha256(text):
        raise CheckpointError(f"{path}: its header is damaged (it does not match its sha256)")
    try:
        fields = json.loads(text)
        version, tensors = fields.pop("format"), fields.pop("tensors")
        if version != FORMAT:
            raise CheckpointError(f"{path}: written in format {version}, but this ganctl reads format {FORMAT}")
        header = Header.model_validate_json(json.dumps(fields))
        whole = tensors.keys() == names
    except (ValidationError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: its header is not that of a checkpoint ({error})") from error
    if not whole:
        raise CheckpointError(f"{path}: tensors are missing or unknown")
    return Checkpoint(path, header, tensors)


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt", device="cpu")
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: does not exist") from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: not a whole safetensors file ({error})") from error


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _identity(tensor: Tensor) -> list[Any]:
    content: Any = tensor.reshape(-1).view(torch.uint8).numpy()
    return [str(tensor.dtype).removeprefix("torch."), list(tensor.shape), hashlib.sha256(content).hexdigest()]
