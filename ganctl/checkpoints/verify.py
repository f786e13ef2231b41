"""Checkpoints that anyone may have written, opened: their config says which tensors they must hold."""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganctl.checkpoints.file import LOGGED, Checkpoint, read_header
from ganctl.config import TrainConfig
from ganctl.errors import CheckpointError, ConfigError
from ganctl.game.outline import PLAYERS, gigabytes, outline
from ganctl.runtime.memory import memory_limit
from ganctl.samples import SampleSpace

FLOATS = ("float32", "float64", "bfloat16", "float16")


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint whose header, config and list of tensors fit together; no tensor is read.

    One that was opened before is opened again only if it has been written since. Raises `CheckpointError` if it
    is missing, damaged, no checkpoint of ganctl, or not what its config makes.
    """
    version: tuple[int, ...] = ()
    with suppress(OSError, ValueError):
        found = path.stat()
        version = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return _open(path, version)


@lru_cache(maxsize=4)
def _open(path: Path, version: tuple[int, ...]) -> Checkpoint:
    opened = read_header(path)
    check_tensors(opened, opened.config)
    return opened


def check_tensors(checkpoint: Checkpoint, config: TrainConfig) -> None:
    """Check that a checkpoint's header lists the tensors that its config makes, by names, shapes and types.

    So reading it takes no more memory than its config implies, and optimizers can work on it in place. A member
    without state yet may be missing. Raises `CheckpointError` naming the first tensor that is missing, unknown or
    different, and for networks that do not fit into memory.
    """
    place, steps = checkpoint.path, checkpoint.header.step
    rest = dict(checkpoint.tensors)
    scaled = any(name.startswith("scaler.") for name in rest)
    wide = any(name.startswith(PLAYERS) and entry[0] == "float64" for name, entry in rest.items())
    try:
        header = checkpoint.header
        if header.classes and not config.model.conditional:
            raise CheckpointError(f"{place}: names {len(header.classes)} classes, but its model is unconditional")
        space = config.model.space(SampleSpace.of_shape(header.shape, classes=header.classes))
        members = outline(config, space, torch.float64 if wide else torch.float32)
        for prefix, member in members.items():
            if member.may_lack(steps, scaled) and not any(name.startswith(f"{prefix}.") for name in rest):
                continue
            extra = {name: value for name, value in member.extra.items() if f"{prefix}.{name}" in rest}
            for name, tensor in (member.outline() | extra).items():
                _take(place, f"{prefix}.{name}", tensor, rest)
    except ConfigError as error:
        raise CheckpointError(f"{place}: its config cannot be used here: {error}") from error
    if rest:
        raise CheckpointError(f"{place}: {min(rest)} is nothing that its config makes")
    needed = sum(tensor.numel() * 4 for player in PLAYERS for tensor in members[player].outline().values())
    if needed > memory_limit():
        raise CheckpointError(
            f"{place}: its networks need {gigabytes(needed)}, but this machine has {gigabytes(memory_limit())}"
        )


def _take(place: Path, name: str, expected: Tensor, rest: dict[str, list[Any]]) -> None:
    """Take a tensor out of the table."""
    dtype, shape, _ = rest.pop(name, [None, None, None])
    if dtype is None:
        raise CheckpointError(f"{place}: {name} is missing")
    own, own_shape = str(expected.dtype).removeprefix("torch."), list(expected.shape)
    if shape != own_shape or dtype not in (FLOATS if name.startswith(LOGGED) else (own,)):
        raise CheckpointError(f"{place}: {name} is {dtype} {shape}, but its config makes {own} {own_shape}")
