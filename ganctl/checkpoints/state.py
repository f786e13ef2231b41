"""Everything of a run that a crash must not lose, as one list of named tensors."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from ganctl.errors import CheckpointError, ConfigError
from ganctl.game.players import Player
from ganctl.game.step import Game
from ganctl.optim import Optimizer

SCALER = {"scale": torch.float32, "growth_tracker": torch.int32}


def tensors(game: Game) -> dict[str, Tensor]:
    """Return the state by name: both players, the average, and nothing that follows from config and step.

    Raises `ConfigError` for a network of which a weight takes no part in any update.
    """
    state: dict[str, Tensor] = {}
    for player in (game.generator, game.discriminator):
        state |= _prefixed(player.name, player.network.state_dict())
        state |= _prefixed(f"optimizer.{player.name}", _optimizer_tensors(player))
        state |= _prefixed(f"scaler.{player.name}", _scaler_tensors(player))
        state |= _prefixed(f"values.{player.name}", player.values)
    if game.ema is not None:
        state |= _prefixed("ema", game.ema.average.state_dict())
    return state


def copied(game: Game) -> dict[str, Tensor]:
    """Return a copy of the state in the machine's memory, which does not move when the game goes on."""
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors(game).items()}


def check(game: Game, state: Mapping[str, Tensor], steps: int, optimizer: Optimizer) -> None:
    """Check the numbers of a saved state of so many steps, of which names, shapes and types have been checked.

    Raises `CheckpointError` naming the first tensor that no training could have left.
    """
    for player in (game.generator, game.discriminator):
        for problem in _wrong(player, state, steps, optimizer):
            raise CheckpointError(problem)


def _wrong(player: Player, state: Mapping[str, Tensor], steps: int, optimizer: Optimizer) -> Iterator[str]:
    """Yield what is wrong with one player's counters and squares."""
    most = steps * player.turns
    for name, value in state.items():
        kind, _, rest = name.partition(f".{player.name}.")
        slot = rest.partition(".")[0]
        if kind == "optimizer" and slot in optimizer.never_negative and value.numel() and value.min() < 0:
            yield f"{name} is negative"
        counts = kind == "optimizer" and slot == "step" and value.dim() == 0
        if counts and (value % 1 != 0 or value > most):
            yield f"{name} is {value.item():g}, but {steps:,} steps make at most {most:,} updates"
        if kind == "scaler" and (value < 0 or (rest == "scale" and value == 0)):
            yield f"{name} is {value.item():g}, which scales nothing"


def restore(game: Game, state: Mapping[str, Tensor]) -> None:
    """Put a saved state into a freshly built game.

    Raises `CheckpointError` if a tensor is missing, left over, or of another shape.
    """
    rest = dict(state)
    try:
        for player in (game.generator, game.discriminator):
            player.network.load_state_dict(_take(rest, player.name))
            _restore_optimizer(player, _take(rest, f"optimizer.{player.name}"))
            _restore_scaler(player, _take(rest, f"scaler.{player.name}"))
            device = game.device.torch_device
            values = _take(rest, f"values.{player.name}")
            player.values = {name: value.to(device, game.device.dtype) for name, value in values.items()}
        if game.ema is not None:
            game.ema.average.load_state_dict(_take(rest, "ema"))
    except (RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"the checkpoint's tensors do not fit the model ({error})") from error
    if rest:
        raise CheckpointError(f"the checkpoint holds tensors that the model does not know, such as {min(rest)}")


def _prefixed(prefix: str, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in named.items()}


def _take(rest: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    names = [name for name in rest if name.startswith(f"{prefix}.")]
    return {name.removeprefix(f"{prefix}."): rest.pop(name) for name in names}


def _optimizer_tensors(player: Player) -> dict[str, Tensor]:
    updated = [player.optimizer.state.get(parameter) is not None for parameter in player.parameters]
    if any(updated) and not all(updated):
        idle = [name for name, _ in player.network.named_parameters()][updated.index(False)]
        raise ConfigError(
            f"model: {player.name}.{idle} takes no part in the loss: its optimizer keeps nothing for it, and no "
            "run could go on from such a checkpoint; leave it out of the network"
        )
    return {
        f"{key}.{name}": value
        for name, parameter in player.network.named_parameters()
        for key, value in player.optimizer.state.get(parameter, {}).items()
        if value is not None
    }


def _restore_optimizer(player: Player, saved: Mapping[str, Tensor]) -> None:
    slots: dict[str, dict[str, Tensor]] = {}
    for name, value in saved.items():
        key, _, parameter = name.partition(".")
        slots.setdefault(parameter, {})[key] = value
    state: dict[int, dict[str, Tensor]] = {}
    for number, (name, weight) in enumerate(player.network.named_parameters()):
        if slots:
            state[number] = {key: _like(weight, value) for key, value in slots.pop(name).items()}
    if slots:
        raise ValueError(f"optimizer slots of unknown weights, such as {min(slots)}")
    groups = player.optimizer.state_dict()["param_groups"]
    player.optimizer.load_state_dict({"state": state, "param_groups": groups})


def _like(weight: Tensor, value: Tensor) -> Tensor:
    """Return a saved slot in its weight's memory layout, which fused optimizers ask for; counters as they are."""
    if value.dim() == 0:
        return value
    if value.shape != weight.shape:
        raise ValueError(f"an optimizer slot of shape {tuple(value.shape)} for a weight of {tuple(weight.shape)}")
    return torch.empty_like(weight.detach()).copy_(value)


def _scaler_tensors(player: Player) -> dict[str, Tensor]:
    if not player.scaler.is_enabled():
        return {}
    saved = player.scaler.state_dict()
    return {name: torch.tensor(saved[_scaler_key(name)], dtype=dtype) for name, dtype in SCALER.items()}


def _restore_scaler(player: Player, saved: Mapping[str, Tensor]) -> None:
    if player.scaler.is_enabled() and saved:
        known = player.scaler.state_dict()
        player.scaler.load_state_dict(known | {_scaler_key(name): saved[name].item() for name in SCALER})


def _scaler_key(name: str) -> str:
    return f"_{name}" if name == "growth_tracker" else name
