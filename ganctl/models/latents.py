"""What a generator maps to samples: latents of a distribution, and InfoGAN's codes after them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Prior = Literal["normal", "uniform", "truncated", "sphere"]

TRUNCATED_AT = 2.0
"""Where the prior `truncated` ends (Brock et al. 2019, section 3.1, draw values beyond again)."""


@dataclass(frozen=True)
class LatentSpace:
    """Latents [count, width]: `dimensions` values of a prior, then the codes.

    `normal` is N(0, 1), `uniform` lies in [-1, 1), `truncated` is normal within ±2, `sphere` is normal, scaled to
    the length √dimensions. Each of the categorical `codes` is one-hot of so many columns, a continuous code lies
    in [-1, 1). (Chen et al. 2016, section 7.)
    """

    dimensions: int
    prior: Prior = "normal"
    categorical: tuple[int, ...] = ()
    continuous: int = 0

    @property
    def width(self) -> int:
        """Columns of the latents."""
        return self.dimensions + sum(self.categorical) + self.continuous

    @property
    def codes(self) -> int:
        """How many codes there are."""
        return len(self.categorical) + self.continuous

    def draw(
        self, shape: tuple[int, ...], source: torch.Generator, dtype: torch.dtype, truncation: float | None = None
    ) -> Tensor:
        """Return latents [*shape, width] drawn in float32 by a generator, on its device; float64 widens float32.

        `truncation` bounds the values of a normal prior instead.
        """
        values = self._values((*shape, self.dimensions), source, truncation)
        if self.codes:
            values = torch.cat([values, *self._codes(shape, source)], -1)
        return values.to(dtype)

    def _values(self, shape: tuple[int, ...], source: torch.Generator, truncation: float | None) -> Tensor:
        if self.prior == "uniform":
            return _uniform(shape, source)
        if self.prior == "truncated" or truncation is not None:
            bound = TRUNCATED_AT if truncation is None else truncation
            inside = math.erf(bound / math.sqrt(2))
            return (torch.erfinv(_uniform(shape, source) * inside) * math.sqrt(2)).clamp(-bound, bound)
        values = torch.randn(shape, generator=source, device=source.device, dtype=torch.float32)
        return self._on_sphere(values) if self.prior == "sphere" else values

    def _on_sphere(self, values: Tensor) -> Tensor:
        lengths: Tensor = values.norm(dim=-1, keepdim=True)
        return values * (math.sqrt(self.dimensions) / lengths)

    def _codes(self, shape: tuple[int, ...], source: torch.Generator) -> list[Tensor]:
        chosen = [torch.randint(size, shape, generator=source, device=source.device) for size in self.categorical]
        codes = [one_hot(each, size) for each, size in zip(chosen, self.categorical, strict=True)]
        return [*codes, _uniform((*shape, self.continuous), source)] if self.continuous else codes

    def free(self, latents: Tensor) -> Tensor:
        """Return 1 for each column of latents that may take any value near its own, 0 for categorical codes."""
        columns = torch.ones(self.width).to(latents)
        columns[self.dimensions : self.dimensions + sum(self.categorical)] = 0
        return columns

    def confined(self, latents: Tensor) -> Tensor:
        """Return latents [count, width] moved to the nearest that the prior can draw; a normal one draws any."""
        values, codes = latents[:, : self.dimensions], latents[:, self.dimensions :]
        if self.prior == "uniform":
            values = values.clamp(-1, 1)
        elif self.prior == "truncated":
            values = values.clamp(-TRUNCATED_AT, TRUNCATED_AT)
        elif self.prior == "sphere":
            values = self._on_sphere(values)
        if self.continuous:
            codes = torch.cat([codes[:, : -self.continuous], codes[:, -self.continuous :].clamp(-1, 1)], 1)
        return torch.cat([values, codes], 1)

    def moved(self, latents: Tensor, shifts: Tensor) -> Tensor:
        """Return latents [count, width] whose values of the prior are moved by shifts [count, dimensions].

        Those of a `sphere` are scaled to its length again, others may leave the prior's bounds. Codes stay.
        """
        values = latents[:, : self.dimensions] + shifts
        if self.prior == "sphere":
            values = self._on_sphere(values)
        return torch.cat([values, latents[:, self.dimensions :]], 1)

    def with_code(self, latents: Tensor, code: int, values: Sequence[float] | Tensor) -> Tensor:
        """Return latents [count, width] whose code number `code` (from 0) is set.

        `values` [count] are categories of a categorical code, numbers of a continuous one.
        """
        first = self.dimensions + sum(self.categorical[:code]) + max(0, code - len(self.categorical))
        changed, given = latents.clone(), torch.as_tensor(values, device=latents.device)
        if code < len(self.categorical):
            size = self.categorical[code]
            changed[:, first : first + size] = one_hot(given.long(), size).to(latents)
        else:
            changed[:, first] = given.to(latents)
        return changed


def _uniform(shape: tuple[int, ...], source: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=source, device=source.device, dtype=torch.float32) * 2 - 1


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """Return labels int64 [...] as float32 [..., classes], without reading the device."""
    return (labels[..., None] == torch.arange(classes, device=labels.device)).float()
