"""The first number that is not finite, recorded on the device so that no step waits for it."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganctl.errors import DivergenceError
from ganctl.processes.ranks import Ranks

SLOTS = 1 << 10


class Divergence:
    """Remembers which value of which step was the first that is not finite.

    `ignored` names values that may be infinite in the ordinary course: under fp16, the gradient's norm,
    since the loss scaler finds its scale by overflowing now and then and skips those updates.
    """

    def __init__(self, device: torch.device, ignored: frozenset[str] = frozenset()) -> None:
        self._ranks = Ranks.here()
        self._first = torch.full((), -1, dtype=torch.int64, device=device)
        self._ignored = ignored
        self._slots: list[tuple[str, str]] = []
        self._numbers: dict[tuple[str, ...], Tensor] = {}

    def look(self, step: int, player: str, values: Mapping[str, Tensor]) -> None:
        """Record the scalars of a step (from 0) on the device without reading them."""
        names = tuple(name for name in values if name not in self._ignored)
        bad = torch.stack([values[name].detach() for name in names]).isfinite().logical_not()
        code = torch.where(bad, self._slots_of(player, names) + step * SLOTS, torch.iinfo(torch.int64).max).min()
        torch.where((self._first < 0) & bad.any(), code, self._first, out=self._first)

    def check(self) -> None:
        """Read the device, of all ranks.

        Raises `DivergenceError` naming step (from 1), network and term of the first value that was not finite.
        """
        none = torch.iinfo(torch.int64).max
        first = int(self._first)
        (least,) = self._ranks.largest([-first if first >= 0 else -none])
        if least == -none:
            return
        first = -least
        step, slot = divmod(first, SLOTS)
        player, name = self._slots[slot]
        raise DivergenceError(f"training diverged at step {step + 1}: the {player}'s {name} is not finite")

    def _slots_of(self, player: str, names: tuple[str, ...]) -> Tensor:
        if (player, *names) not in self._numbers:
            self._slots += [(player, name) for name in names if (player, name) not in self._slots]
            numbers = [self._slots.index((player, name)) for name in names]
            self._numbers[player, *names] = torch.tensor(numbers, device=self._first.device)
        return self._numbers[player, *names]
