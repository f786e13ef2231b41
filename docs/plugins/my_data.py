"""A data source: points on two half circles."""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field

from ganctl.data.source import SOURCES, Source
from ganctl.data.store import Store
from ganctl.runtime.randomness import generator
from ganctl.samples import POINTS, Kind


@SOURCES.register
class Moons(Source):
    """Two interleaved half circles, each a class; `num` alone determines the points."""

    name: Literal["moons"]
    num: Annotated[int, Field(ge=2, le=1_000_000)]

    @property
    def kind(self) -> Kind:
        """Points; a source of images leaves this out."""
        return POINTS

    def load(self) -> Store:
        """Return points, float32 [num, 2]; images would be uint8 [num, height, width, channels]."""
        labels = torch.arange(self.num) % 2
        angle = torch.rand(self.num, generator=generator(torch.device("cpu"), "moons")) * math.pi
        side = 1.0 - 2.0 * labels
        points = torch.stack([side * angle.cos() + labels, side * angle.sin() + labels / 2], dim=1)
        return Store(points, labels, ("upper", "lower"))
