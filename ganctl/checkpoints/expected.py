"""What a checkpoint must hold by names, shapes and types: it follows from its config."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ganctl import rules
from ganctl.checkpoints.file import Checkpoint
from ganctl.checkpoints.state import SCALER
from ganctl.config import TrainConfig
from ganctl.errors import CheckpointError, ConfigError
from ganctl.game.outline import PLAYERS, Outline, gigabytes, outline, weights_of
from ganctl.game.players import SKIPPED
from ganctl.optim import PlayerName
from ganctl.penalties import PenaltyTerm
from ganctl.runtime.memory import memory_limit
from ganctl.samples import SampleSpace

WIDE = ("float32", "float64")
FLOATS = (*WIDE, "bfloat16", "float16")

Table = dict[str, list[Any]]
"""Type, shape and sha256 of a file's tensors by name."""


def check_tensors(checkpoint: Checkpoint, config: TrainConfig) -> None:
    """Check that a checkpoint's header lists the tensors that its config makes, by names, shapes and types.

    So reading it takes no more memory than its config says, and what is read is what an optimizer works on in
    place. Raises `CheckpointError` naming the first that is missing, unknown or different, and for networks that
    do not fit into memory.
    """
    place = checkpoint.path
    try:
        space = config.model.space(SampleSpace.of_shape(checkpoint.header.shape))
        outlines: dict[PlayerName, Outline] = {player: outline(config, player, space) for player in PLAYERS}
        networks = {str(player): network for player, network in outlines.items()}
        if config.ema.half_life > 0:
            networks["ema"] = outlines["generator"]
        rest = dict(checkpoint.tensors)
        for prefix, network in networks.items():
            _compare(place, prefix, network, rest, WIDE)
        for player in PLAYERS:
            _check_training(checkpoint, config, player, outlines[player], rest)
    except ConfigError as error:
        raise CheckpointError(f"{place}: its config cannot be used here: {error}") from error
    if rest:
        raise CheckpointError(f"{place}: {min(rest)} is nothing that its config makes")
    needed = sum(tensor.numel() * 4 for each in outlines.values() for tensor in each.values())
    if needed > memory_limit():
        raise CheckpointError(
            f"{place}: its networks need {gigabytes(needed)}, but this machine has {gigabytes(memory_limit())}"
        )


def values_of(config: TrainConfig, player: PlayerName) -> set[str]:
    """Return which values a player's update leaves to be logged, but for the count of skipped updates."""
    if player == "generator":
        terms = set(config.auxiliary)
    else:
        terms = {key for key, penalty in config.penalty.items() if isinstance(penalty, PenaltyTerm)}
    return terms | rules.TAKEN - {SKIPPED}


def _check_training(
    checkpoint: Checkpoint, config: TrainConfig, player: PlayerName, network: Outline, rest: Table
) -> None:
    """Take what else a player has out of the table: optimizer slots, the scaler, logged values.

    Each may be missing as a whole where there was none yet: at step 0, or while fp16 has skipped every update.
    """
    place, trained = checkpoint.path, checkpoint.header.step > 0
    scaled = any(name.startswith(f"scaler.{player}.") for name in rest)
    if scaled:
        _compare(place, f"scaler.{player}", _scalars(SCALER), rest)
    prefix = f"optimizer.{player}"
    if (trained and not scaled) or any(name.startswith(f"{prefix}.") for name in rest):
        weights = {
            name: torch.empty_like(weight, dtype=getattr(torch, checkpoint.tensors[f"{player}.{name}"][0]))
            for name, weight in weights_of(network).items()
        }
        _compare(place, prefix, config.optimizer.kept(player, weights), rest)
    prefix = f"values.{player}"
    if trained or any(name.startswith(f"{prefix}.") for name in rest):
        names = values_of(config, player) | ({SKIPPED} if f"{prefix}.{SKIPPED}" in rest else set())
        _compare(place, prefix, _scalars(dict.fromkeys(sorted(names), torch.float32)), rest, FLOATS)


def _scalars(types: Mapping[str, torch.dtype]) -> Outline:
    return {name: torch.empty((), dtype=dtype, device="meta") for name, dtype in types.items()}


def _compare(place: Any, prefix: str, expected: Outline, rest: Table, floats: tuple[str, ...] = ()) -> None:
    """Take tensors out of the table; `floats` are the types that stand for each other, none by default."""
    for name, tensor in expected.items():
        dtype, shape, _ = rest.pop(f"{prefix}.{name}", [None, None, None])
        if dtype is None:
            raise CheckpointError(f"{place}: {prefix}.{name} is missing")
        own = _type(tensor)
        types = floats if own in floats else (own,)
        if shape != list(tensor.shape) or dtype not in types:
            raise CheckpointError(
                f"{place}: {prefix}.{name} is {dtype} {shape}, but its config makes {own} {list(tensor.shape)}"
            )


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
