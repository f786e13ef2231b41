"""The random numbers of ADA: taken in a fixed order from uniform ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor

LARGEST = 1 - 2.0**-23
"""Of what erfinv is asked for: normal numbers stay within ± 5.2."""


@dataclass
class Numbers:
    """Uniform numbers [n, k] of a batch, the strength p, and the multiplier of each change that can happen."""

    uniforms: Tensor
    strength: Tensor | None
    multipliers: Mapping[str, float]
    _taken: int = field(default=0, init=False)

    def on(self, *changes: str) -> bool:
        """Return whether any of the changes can happen."""
        return any(change in self.multipliers for change in changes)

    def uniform(self, count: int = 1) -> Tensor:
        """Return the next numbers in [0, 1), [n, count]."""
        self._taken += count
        return self.uniforms[:, self._taken - count : self._taken]

    def normal(self, count: int = 1) -> Tensor:
        """Return the next numbers as standard normal ones, [n, count]."""
        signed = 2 * self.uniform(count) - 1
        return signed.clamp(-LARGEST, LARGEST).erfinv() * 2**0.5

    def angle(self) -> Tensor:
        """Return the next number as an angle in [−π, π), [n, 1]."""
        return (2 * self.uniform() - 1) * torch.pi

    def whole(self, count: int) -> Tensor:
        """Return the next number as one of 0 to count − 1, [n, 1]."""
        return (self.uniform() * count).floor().clamp(max=count - 1)

    def happens(self, change: str, value: Tensor, neutral: float, twice: bool = False) -> Tensor:
        """Return the value [n, …] where the change happens by the next number, and the neutral one elsewhere.

        The chance is strength · multiplier; of a change that is tried `twice`, that it happens at all.
        """
        chance = self.multipliers[change] * (
            self.uniforms.new_ones(()) if self.strength is None else self.strength
        )
        if twice:
            chance = 1 - (1 - chance).clamp(0, 1).sqrt()
        return torch.where(self.uniform() < chance, value, neutral)


def constant(like: Tensor, *values: float) -> Tensor:
    """Return numbers in the type and on the device of a tensor; copied once, as replayed steps need."""
    return _constant(values, like.dtype, like.device)


@cache
def _constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device)
