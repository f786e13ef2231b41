"""What of a game a crash must not lose: its members, each of which saves, loads and describes its own tensors."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from ganctl.errors import ConfigError
from ganctl.game.players import SKIPPED, Player


@runtime_checkable
class Stateful(Protocol):
    """Anything whose tensors a checkpoint holds: what a term's `build` returns may be such."""

    def state(self) -> dict[str, Tensor]:
        """Return the tensors by name; names, shapes and types are the same at every step."""

    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Take over the tensors that `state` returned; these have been checked by names, shapes and types."""


class Member:
    """A stateful part of a game, and what a checkpoint of it may hold."""

    extra: ClassVar[Mapping[str, Tensor]] = {}
    """Tensors that may be there or not."""

    def state(self) -> dict[str, Tensor]:
        """Return the tensors by name."""
        raise NotImplementedError

    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Take over saved tensors."""
        raise NotImplementedError

    def outline(self) -> dict[str, Tensor]:
        """Return tensors of the names, shapes and types that a trained member saves; their values do not count."""
        return self.state()

    def may_lack(self, steps: int, scaled: bool) -> bool:
        """Return whether a checkpoint saved after `steps` steps, `scaled` under fp16, may lack this member."""
        return False

    def faults(self, saved: Mapping[str, Tensor], steps: int) -> Iterator[str]:
        """Yield each number that `steps` steps of training cannot have produced."""
        yield from ()


@dataclass(frozen=True)
class Weights(Member):
    """A network's weights and buffers."""

    network: nn.Module

    def state(self) -> dict[str, Tensor]:
        """Return the network's state."""
        return dict(self.network.state_dict())

    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Raise `RuntimeError` if names or shapes are others."""
        self.network.load_state_dict(saved)


@dataclass(frozen=True)
class OptimizerSlots(Member):
    """What an optimizer keeps of each weight that is learned, as `<slot>.<weight>`."""

    player: Player

    def state(self) -> dict[str, Tensor]:
        """Return the slots; none before the first update.

        Raises `ConfigError` for a network of which a weight takes no part in any update.
        """
        slots = self.player.optimizer.state
        named = self.player.learned
        idle = [name for name, weight in named.items() if slots.get(weight) is None]
        if 0 < len(idle) < len(named):
            raise ConfigError(
                f"model: {self.player.name}.{idle[0]} takes no part in the loss: its optimizer keeps nothing for "
                "it, and no run could go on from such a checkpoint; leave it out of the network"
            )
        return {
            f"{slot}.{name}": value
            for name, weight in named.items()
            for slot, value in slots.get(weight, {}).items()
            if value is not None
        }

    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Raise `KeyError` or `ValueError` if the slots are not those of all weights that are learned."""
        slots: dict[str, dict[str, Tensor]] = {}
        for key, value in saved.items():
            slot, _, name = key.partition(".")
            slots.setdefault(name, {})[slot] = value
        state: dict[int, dict[str, Tensor]] = {}
        for number, (name, weight) in enumerate(self.player.learned.items()):
            if saved:
                state[number] = {slot: _like(weight, value) for slot, value in slots.pop(name).items()}
        if slots:
            raise ValueError(f"optimizer slots of unknown weights, such as {min(slots)}")
        groups = self.player.optimizer.state_dict()["param_groups"]
        self.player.optimizer.load_state_dict({"state": state, "param_groups": groups})

    def outline(self) -> dict[str, Tensor]:
        """Return what the optimizer keeps once it has stepped."""
        return self.player.learning.kept(self.player.name, self.player.learned)

    def may_lack(self, steps: int, scaled: bool) -> bool:
        """Return whether there may have been no update yet: fp16 may have skipped every one."""
        return steps == 0 or scaled

    def faults(self, saved: Mapping[str, Tensor], steps: int) -> Iterator[str]:
        """Yield counters beyond the updates made, and squares below 0."""
        most = steps * self.player.updates
        for name, value in saved.items():
            slot = name.partition(".")[0]
            if slot in self.player.learning.never_negative and value.numel() and value.min() < 0:
                yield f"{name} is negative"
            if slot == "step" and value.dim() == 0 and (value % 1 != 0 or value > most):
                yield f"{name} is {value.item():g}, but {steps:,} steps make at most {most:,} updates"


def _like(weight: Tensor, value: Tensor) -> Tensor:
    """Return a saved slot in its weight's memory layout, which fused optimizers ask for; counters as they are."""
    if value.dim() == 0:
        return value
    if value.shape != weight.shape:
        raise ValueError(f"an optimizer slot of shape {tuple(value.shape)} for a weight of {tuple(weight.shape)}")
    return torch.empty_like(weight.detach()).copy_(value)


SCALER = {"scale": ("scale", torch.float32), "growth_tracker": ("_growth_tracker", torch.int32)}
"""What of a loss scaler is saved: its keys in torch, and types."""


@dataclass(frozen=True)
class LossScale(Member):
    """The state of fp16's loss scaler; nothing in other precisions."""

    scaler: torch.amp.GradScaler

    def state(self) -> dict[str, Tensor]:
        """Return the scale and the updates since it last moved."""
        if not self.scaler.is_enabled():
            return {}
        saved = self.scaler.state_dict()
        return {name: torch.tensor(saved[key], dtype=dtype) for name, (key, dtype) in SCALER.items()}

    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Take over what a run in fp16 has left; other precisions pass it over."""
        if self.scaler.is_enabled() and saved:
            found = {key: saved[name].item() for name, (key, _) in SCALER.items()}
            self.scaler.load_state_dict(self.scaler.state_dict() | found)

    def outline(self) -> dict[str, Tensor]:
        """Return both scalars."""
        return {name: torch.empty((), dtype=dtype, device="meta") for name, (_, dtype) in SCALER.items()}

    def may_lack(self, steps: int, scaled: bool) -> bool:
        """Return True: the precision may change when a run goes on."""
        return True

    def faults(self, saved: Mapping[str, Tensor], steps: int) -> Iterator[str]:
        """Yield what scales nothing."""
        for name, value in saved.items():
            if value < 0 or (name == "scale" and value == 0):
                yield f"{name} is {value.item():g}, which scales nothing"


@dataclass(frozen=True)
class LastValues(Member):
    """The last value of each term, which a lazy term's next row of the log repeats."""

    extra: ClassVar[Mapping[str, Tensor]] = {SKIPPED: torch.empty((), device="meta")}

    player: Player

    def state(self) -> dict[str, Tensor]:
        """Return the values; none before the first update."""
        return dict(self.player.values)

    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Take over the values."""
        weight = self.player.parameters[0]
        self.player.values = {name: value.to(weight.device, weight.dtype) for name, value in saved.items()}

    def outline(self) -> dict[str, Tensor]:
        """Return a scalar for each term and the gradient's norm."""
        names = [*(term.name for term in self.player.terms), "gradient_norm"]
        return {name: torch.empty((), device="meta") for name in names}

    def may_lack(self, steps: int, scaled: bool) -> bool:
        """Return whether no update has been made."""
        return steps == 0


@dataclass(frozen=True)
class TermState(Member):
    """The state of a term, or of an augmentation."""

    term: Stateful

    def state(self) -> dict[str, Tensor]:
        """Return the term's tensors."""
        return self.term.state()

    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Hand the term its tensors."""
        self.term.load(saved)


def members(players: Iterable[Player], average: nn.Module | None) -> dict[str, Member]:
    """Return every member with state, by the first part of its tensors' names: the one list of them."""
    found: dict[str, Member] = {}
    for player in players:
        found[player.name] = Weights(player.network)
        found[f"optimizer.{player.name}"] = OptimizerSlots(player)
        found[f"scaler.{player.name}"] = LossScale(player.scaler)
        found[f"values.{player.name}"] = LastValues(player)
        for term in player.terms:
            compute: object = term.compute
            if isinstance(compute, Stateful):
                found[f"term.{player.name}.{term.name}"] = TermState(compute)
        for name, strength in player.augmenter.strengths.items():
            found[f"augment.{name}"] = TermState(strength)
    if average is not None:
        found["ema"] = Weights(average)
    return found
