"""What a step's updates need that depends on the step's number; all else they do is the same at every step.

So a step can be recorded once and replayed, if these lie at the same places in memory each time.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import TYPE_CHECKING, Concatenate

import torch
from torch import Tensor

from ganctl.optim import PlayerName
from ganctl.runtime.device import Device

if TYPE_CHECKING:
    from ganctl.game.players import Term

Draw = Callable[Concatenate[PlayerName, int, ...], Tensor]
"""What is drawn or gathered for a player's update number `turn` (from 0): a method of the game."""


class Inputs:
    """Gives updates what depends on the step: made when it is asked for."""

    def drawn(self, draw: Draw, player: PlayerName, turn: int, *which: int | str) -> Tensor:
        """Return what is drawn for a player's update number `turn` (from 0)."""
        return draw(player, turn, *which)

    def weighted(self, value: Tensor, term: "Term", step: int) -> Tensor:
        """Return a term's share in the objective at a step (from 0): its value times weight and interval."""
        return value * (term.weight_at(step) * term.every)

    def number(self, step: int) -> int | Tensor:
        """Return the step's number: as it is, or as an int64 scalar on the device."""
        return step


class HeldInputs(Inputs):
    """Keeps each input in a tensor of its own, which is filled anew for a step and lies where it lay.

    A step that is played for the first time fills what it asks for (`begin`, then `asked`). Before a step that
    asks for the same, `fill` does so for all of it at once; asking for anything else is then a `RuntimeError`.
    """

    def __init__(self, device: Device, turns: Mapping[PlayerName, int]) -> None:
        self._device = device
        self._turns = turns
        self._makers: dict[Hashable, Callable[[int], Tensor | float]] = {}
        self._places: dict[Hashable, Tensor] = {}
        self._numbers: dict[Hashable, float] = {}
        self._fresh: dict[Hashable, None] = {}
        self._step = 0
        self._complete = False

    @property
    def asked(self) -> tuple[Hashable, ...]:
        """What the step has asked for so far, or was filled for."""
        return tuple(self._fresh)

    def begin(self, step: int) -> None:
        """Start a step (from 0) whose inputs are not known yet."""
        self._step, self._fresh, self._complete = step, {}, False

    def fill(self, step: int, asked: Iterable[Hashable]) -> None:
        """Start a step (from 0) with all that such a step has asked for before."""
        self.begin(step)
        for key in asked:
            self._place(key)
        self._complete = True

    def drawn(self, draw: Draw, player: PlayerName, turn: int, *which: int | str) -> Tensor:
        """Return the tensor that holds what is drawn; whoever asks gets a view of its own, without a graph."""
        turns = self._turns[player]
        later = turn - self._step * turns
        key = (draw.__name__, player, later, *which)
        return self._held(key, lambda step: draw(player, step * turns + later, *which))

    def weighted(self, value: Tensor, term: "Term", step: int) -> Tensor:
        """Return a term's share, rounded as a product with a plain number is."""
        weight = self._held(("weight", id(term)), lambda step: term.weight_at(step) * term.every)
        return (value * weight).to(value.dtype)

    def number(self, step: int) -> Tensor:
        """Return the step's number as an int64 scalar on the device."""
        return self._held("step", lambda step: step)

    def _held(self, key: Hashable, make: Callable[[int], Tensor | float]) -> Tensor:
        if key not in self._fresh:
            if self._complete:
                raise RuntimeError(f"they now ask for {key}, and did not before")
            self._makers.setdefault(key, make)
            self._place(key)
        return self._places[key].detach()

    @torch.no_grad()
    def _place(self, key: Hashable) -> None:
        self._fresh[key] = None
        value, place = self._makers[key](self._step), self._places.get(key)
        if isinstance(value, Tensor):
            if place is None:
                self._places[key] = value.clone()
            else:
                place.copy_(value)
            return
        if place is None:
            dtype = torch.int64 if isinstance(value, int) else self._device.dtype
            self._places[key] = torch.full((), value, dtype=dtype, device=self._device.torch_device)
        elif self._numbers[key] != value:
            place.fill_(value)
        self._numbers[key] = value
