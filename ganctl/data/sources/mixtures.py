"""Points of known distributions: mixtures of Gaussians, whose missed modes can be counted."""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from ganctl.data.source import SOURCES, Source
from ganctl.data.store import Store
from ganctl.runtime.randomness import generator
from ganctl.samples import POINTS, Kind

Length = Annotated[float, Field(ge=1e-4, le=1e6)]

GRID = 2**20
"""Points are rounded to so many steps a unit."""


class Mixture(Source):
    """Gaussians of one standard deviation, each with its equal share of the points."""

    std: Length
    num: Annotated[int, Field(ge=2, le=10_000_000)]
    seed: Annotated[int, Field(ge=0)]

    @property
    def kind(self) -> Kind:
        """Points."""
        return POINTS

    def centres(self) -> Tensor:
        """Return where the Gaussians stand, float64 [modes, dimensions]."""
        raise NotImplementedError

    def load(self) -> Store:
        """Return `num` points, the modes' turn by turn, so that each has its equal share."""
        centres = self.centres()
        modes, dimensions = centres.shape
        labels = torch.arange(self.num) % modes
        source = generator(torch.device("cpu"), self.name, self.seed)
        noise = torch.randn(self.num, dimensions, generator=source, dtype=torch.float64)
        # Rounded, so that processors that differ in the last bit of a cosine still draw the same set.
        rounded = ((centres[labels] + self.std * noise) * GRID).round() / GRID
        return Store(rounded.float(), labels, tuple(str(mode) for mode in range(modes)))


@SOURCES.register
class Ring(Mixture):
    """Gaussians on a circle: the mixture on which mode collapse is measured (Srivastava et al. 2017)."""

    name: Literal["ring"]
    modes: Annotated[int, Field(ge=1, le=1000)]
    radius: Length

    def centres(self) -> Tensor:
        """Return points of the circle, from the x axis on against the clock, float64 [modes, 2]."""
        angle = torch.arange(self.modes).double() * (2 * math.pi / self.modes)
        return self.radius * torch.stack([angle.cos(), angle.sin()], dim=1)


@SOURCES.register
class Grid(Mixture):
    """Gaussians on a square grid around 0: the mixture of Srivastava et al. 2017 and Lin et al. 2018."""

    name: Literal["grid"]
    side: Annotated[int, Field(ge=1, le=100)]
    spacing: Length

    def centres(self) -> Tensor:
        """Return the grid's points, x running fastest, both from low to high, float64 [side², 2]."""
        line = (torch.arange(self.side).double() - (self.side - 1) / 2) * self.spacing
        return torch.cartesian_prod(line, line).flip(1)


@SOURCES.register
class Gaussian1d(Mixture):
    """A normal distribution on a line: the smallest task there is, and one whose every moment is known."""

    name: Literal["gaussian1d"]
    mean: Annotated[float, Field(ge=-1e6, le=1e6)]

    def centres(self) -> Tensor:
        """Return the mean, float64 [1, 1]."""
        return torch.tensor([[self.mean]], dtype=torch.float64)
