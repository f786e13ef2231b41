"""Weights that a run may begin with: those of a checkpoint, or of a bare safetensors file, checked as strictly.

A bare file has no header of ganctl's: only tensors `generator.…`, `discriminator.…` and `ema.…`, the generator's
average.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from torch import Tensor

from ganctl.checkpoints.file import TENSOR_NAME, TYPES, Checkpoint, open_file, read_tensors
from ganctl.checkpoints.verify import open_checkpoint
from ganctl.errors import CheckpointError
from ganctl.game.outline import MOST_TENSORS, PLAYERS
from ganctl.runtime.bounded import opened, regular_size
from ganctl.runtime.memory import memory_limit

AVERAGE = "ema"
NETWORKS = (*PLAYERS, AVERAGE)
"""The first parts of the names of networks' tensors."""


@dataclass(frozen=True)
class BareFile:
    """An opened safetensors file of networks' tensors alone: type and shape of each, by its name."""

    path: Path
    tensors: dict[str, list[Any]]

    def read(self, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
        """Return the tensors whose names are wanted, on the CPU; raise what `read_tensors` raises."""
        return read_tensors(self.path, filter(wanted, self.tensors))


def open_weights(path: Path) -> Checkpoint | BareFile:
    """Open a checkpoint, verified against its own config, or a bare file; no tensor is read.

    Raises `CheckpointError` if it is missing, damaged, or holds anything but networks' tensors.
    """
    with open_file(path) as file:
        if "ganctl" in (file.metadata() or {}):
            return open_checkpoint(path)
        try:
            return BareFile(path, _listed(path, file))
        except (SafetensorError, ValueError) as error:
            raise CheckpointError(f"{path}: no weights of a generator and discriminator ({error})") from error


def _listed(path: Path, file: Any) -> dict[str, list[Any]]:
    names = sorted(file.keys())
    if regular_size(path) > memory_limit():
        raise ValueError("larger than this machine's memory")
    if len(names) > len(NETWORKS) * MOST_TENSORS:
        raise ValueError("more tensors than any two networks have")
    listed = {}
    for name in names:
        found = file.get_slice(name)
        if not TENSOR_NAME.fullmatch(name) or name.partition(".")[0] not in NETWORKS:
            raise ValueError(f"'{name[:40]}' begins with none of {', '.join(f'{each}.' for each in NETWORKS)}")
        if found.get_dtype() not in TYPES:
            raise ValueError(f"{name} is of type {found.get_dtype()}")
        listed[name] = [TYPES[found.get_dtype()], found.get_shape()]
    return listed


def digest(source: Checkpoint | BareFile) -> str:
    """Return the sha256 of a checkpoint's table of networks' tensors, or of a bare file."""
    if isinstance(source, BareFile):
        with opened(source.path) as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    table = {name: entry for name, entry in source.tensors.items() if name.partition(".")[0] in NETWORKS}
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()
