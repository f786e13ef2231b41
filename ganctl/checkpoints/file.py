"""One file of named tensors and a verified header: data, never code.

A checkpoint is a safetensors file. Its metadata has one entry, `ganctl`: a sha256, a line break, and the JSON
that it is taken over, with the fields of `Header` and the type, shape and sha256 of every tensor. (One entry,
because the library writes several in random order; so the same state gives the same bytes.)
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganctl.checkpoints.saved_config import saved_train_config
from ganctl.checkpoints.untrusted import (
    LONGEST_HEADER,
    check_config,
    check_length,
    parse_json,
)
from ganctl.config import TrainConfig
from ganctl.errors import CheckpointError, DamageError, DivergenceError, WriteError
from ganctl.plugins import named_in
from ganctl.runtime.disk import sync, temporary
from ganctl.samples import Scale

CHECKPOINT_FORMAT = 1
TENSOR_NAME = re.compile(r"(?=.{,500}\Z)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")
"""How tensors may be called; which there are follows from the config."""

DIGEST = re.compile(r"[0-9a-f]{64}")
TYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}
"""The types that a tensor of a state can have, by safetensors' name: torch's."""

LOGGED = "values."
"""First letters of the numbers that are only logged: of any type under mixed precision, and maybe infinite."""

BLOCK = 1 << 22
"""Numbers that are checked at once."""


Steps = Annotated[int, Field(ge=0, lt=1 << 63)]
FileName = Annotated[str, Field(pattern=re.compile(r"^(?!\.\.?\Z)[^/\\\x00-\x1f\x7f]{1,255}\Z"))]


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


class Score(Plain):
    """What chose a checkpoint as the best so far: a value, by which metric, features and samples it was measured.

    Only scores whose `by` is the same can be compared.
    """

    by: str
    value: float
    better: Literal["lower", "higher"]

    def beats(self, other: "Score | None") -> bool:
        """Return whether this score, which is the later one, is as good as another, or cannot be compared."""
        if other is None or (other.by, other.better) != (self.by, self.better):
            return True
        return self.value <= other.value if self.better == "lower" else self.value >= other.value


class Header(Plain):
    """The header of a checkpoint.

    `config` is the validated config as plain data, `step` the steps done, `shape` that of one sample,
    `data` the fingerprint of the data, `versions` those of Python, torch and ganctl, `logs` the byte
    lengths of the run's log files when it was written; `inexact` and `rollbacks` are the run's history.
    `evaluation_due`: this step is still to be evaluated. `score`: why it was kept as the best. `classes`
    are the names of those that a conditional model was trained on. `scale`: how the data came, if as an array.
    """

    config: dict[str, Any]
    step: Steps
    shape: Annotated[tuple[Annotated[int, Field(ge=1, lt=1 << 31)], ...], Field(min_length=1, max_length=3)]
    data: str
    versions: dict[str, str]
    logs: dict[FileName, Steps]
    inexact: tuple[Inexact, ...] = ()
    rollbacks: tuple[Rollback, ...] = ()
    evaluation_due: bool = False
    score: Score | None = None
    classes: tuple[str, ...] = ()
    scale: Scale | None = None


@dataclass(frozen=True)
class Checkpoint:
    """An opened checkpoint whose header has been verified; tensors are read and verified on demand."""

    path: Path
    header: Header
    tensors: dict[str, list[Any]]

    @cached_property
    def config(self) -> TrainConfig:
        """The config of its run, which is validated once.

        Raises `CheckpointError` if this ganctl knows no such config, `PluginError` if a plugin is missing.
        """
        return saved_train_config(self.header.config, self.path, named_in(self.header.versions))

    def read(self, wanted: Callable[[str], bool] = lambda name: True) -> dict[str, Tensor]:
        """Return the tensors whose names are wanted, on the CPU.

        Raises `DamageError` naming the first tensor whose bytes are not those that were written, or are no
        numbers to train or sample with: not finite.
        """
        return read_tensors(self.path, filter(wanted, self.tensors), self.tensors)


def read_tensors(
    path: Path, names: Iterable[str], identities: Mapping[str, list[Any]] | None = None
) -> dict[str, Tensor]:
    """Return tensors of a safetensors file by name, on the CPU; with `identities`, those that have these alone.

    Raises `DamageError` naming the first that cannot be read, is another, or holds numbers that are not finite.
    """
    tensors = {}
    with open_file(path) as file:
        for name in names:
            try:
                tensors[name] = file.get_tensor(name)
            except (SafetensorError, OSError, RuntimeError) as error:
                raise DamageError(f"{path}: {name} cannot be read ({error})") from error
            if identities is not None and _identity(tensors[name]) != identities[name]:
                raise DamageError(f"{path}: {name} is damaged (its bytes do not match its sha256)")
            if is_broken(name, tensors[name]):
                raise DamageError(f"{path}: {name} holds numbers that are not finite")
    return tensors


def write(path: Path, header: Header, tensors: Mapping[str, Tensor]) -> None:
    """Write a checkpoint: a file in a temporary folder, synced, then renamed, so that `path` is intact or absent.

    All that a kill leaves is in that folder. Raises `WriteError` if it cannot be written, and `DivergenceError` if
    a tensor holds what `read` refuses; what was there before is untouched.
    """
    still = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    for name, tensor in still.items():
        assert TENSOR_NAME.fullmatch(name), f"{name}: no name that can be read back"
        if is_broken(name, tensor):
            raise DivergenceError(f"training diverged: {name} holds numbers that are not finite")
    identities = {name: _identity(tensor) for name, tensor in still.items()}
    text = json.dumps({"format": CHECKPOINT_FORMAT, **header.model_dump(), "tensors": identities}, sort_keys=True)
    assert 2 * len(text) < LONGEST_HEADER, "longer than what can be read back"
    folder = temporary(path)
    unfinished = folder / path.name
    try:
        folder.mkdir()
        unfinished.touch()
        mode = unfinished.stat().st_mode
        save_file(still, unfinished, {"ganctl": f"{_sha256(text)}\n{text}"})
        unfinished.chmod(mode)  # the library's file, which took the place of ours, is its owner's alone
        sync(unfinished)
        unfinished.replace(path)
        sync(path.parent)
        with suppress(OSError):  # the checkpoint is there; the next start removes the empty folder
            folder.rmdir()
    except (OSError, SafetensorError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        number = re.search(r"(?:Errno|os error) (\d+)", str(error))
        raise WriteError.of(path, int(number[1]) if number else None) from error


def read_header(path: Path) -> Checkpoint:
    """Open a checkpoint and verify its header, against itself and against the file; no tensor is read.

    Raises `CheckpointError` if it is missing, damaged, or no checkpoint of ganctl.
    """
    with open_file(path) as file:
        digest, found, text = (file.metadata() or {}).get("ganctl", "").partition("\n")
        if not found:
            raise CheckpointError(f"{path}: a safetensors file, but no checkpoint of ganctl")
        if digest != _sha256(text):
            raise CheckpointError(f"{path}: its header is damaged (it does not match its sha256)")
        try:
            fields = parse_json(text)
            version, tensors = fields.pop("format"), fields.pop("tensors")
            if version != CHECKPOINT_FORMAT:
                raise CheckpointError(
                    f"{path}: written in format {version}, but this ganctl reads format {CHECKPOINT_FORMAT}"
                )
            header = Header.model_validate_json(json.dumps(fields))
            check_config(header.config)
            _compare(tensors, file)
        except (SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = _first(error) if isinstance(error, ValidationError) else error
            raise CheckpointError(f"{path}: its header is not that of a checkpoint ({reason})") from error
    return Checkpoint(path, header, tensors)


def open_file(path: Path) -> Any:
    """Open a safetensors file; raise `CheckpointError` if it is none, damaged, or its header is too long."""
    check_length(path)
    try:
        return safe_open(path, framework="pt", device="cpu")
    except (SafetensorError, OSError, RuntimeError) as error:
        raise CheckpointError(f"{path}: not an intact safetensors file ({error})") from error


def _compare(tensors: dict[str, Any], file: Any) -> None:
    """Raise `ValueError` unless the header's table of tensors is well formed and matches the file."""
    if tensors.keys() != set(file.keys()):
        raise ValueError("tensors are missing or unknown")
    for name, entry in tensors.items():
        if not TENSOR_NAME.fullmatch(name):
            raise ValueError(f"'{name[:40]}' is no name of a tensor")
        found = file.get_slice(name)
        dtype, shape, digest = entry
        same = dtype in TYPES.values() and dtype == TYPES.get(found.get_dtype()) and shape == found.get_shape()
        if not same or not DIGEST.fullmatch(digest):
            raise ValueError(f"{name} is not of the type and shape that the header says")


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def is_broken(name: str, tensor: Tensor) -> bool:
    """Return whether a tensor holds NaN or infinity where it must not."""
    if not tensor.is_floating_point() or name.startswith(LOGGED):
        return False
    if bool(tensor.sum().isfinite()):
        return False  # NaN and infinity would have come through; 20 times as fast as looking at each number
    return not all(bool(block.isfinite().all()) for block in tensor.reshape(-1).split(BLOCK))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _identity(tensor: Tensor) -> list[Any]:
    content: Any = tensor.reshape(-1).view(torch.uint8).numpy()
    return [str(tensor.dtype).removeprefix("torch."), list(tensor.shape), hashlib.sha256(content).hexdigest()]
