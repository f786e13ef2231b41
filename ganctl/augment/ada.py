"""Adaptive discriminator augmentation (ADA: Karras et al. 2020, appendix B): fifteen changes, each by chance."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from ganctl.augment.ada_color import Color
from ganctl.augment.ada_corruption import cut_out, draw_size, draw_spread, draw_strengths, filtered
from ganctl.augment.ada_geometry import Placement
from ganctl.augment.ada_numbers import Numbers
from ganctl.augment.ada_strength import AdaStrength
from ganctl.augment.augmentation import AUGMENTS, Augment, Strength

Multiplier = Annotated[float, Field(ge=0, le=1)]

UNIFORMS = {
    "xflip": 2,
    "rotate90": 2,
    "xint": 3,
    "scale": 2,
    "rotate": 4,
    "aniso": 2,
    "xfrac": 3,
    "brightness": 2,
    "contrast": 2,
    "lumaflip": 2,
    "hue": 2,
    "saturation": 2,
    "imgfilter": 8,
    "noise": 2,
    "cutout": 3,
}
"""Numbers in [0, 1) that each change needs of a sample."""


@AUGMENTS.register
class Ada(Augment):
    """Changes that each happen to an image with the probability strength · multiplier.

    The strength, from `initial` on, rises while D(x) > 0 for more than the share (1 + target) / 2 of real images
    and else falls, by 1 in `kimg` thousand real images; `target` null leaves it where it is.
    """

    adaptive: ClassVar[bool] = True
    name: Literal["ada"]
    initial: Annotated[float, Field(ge=0, le=1)]
    target: Annotated[float, Field(ge=-1, le=1)] | None
    kimg: Annotated[float, Field(gt=0)]
    interval: Annotated[int, Field(ge=1)]
    xflip: Multiplier
    rotate90: Multiplier
    xint: Multiplier
    scale: Multiplier
    rotate: Multiplier
    aniso: Multiplier
    xfrac: Multiplier
    brightness: Multiplier
    contrast: Multiplier
    lumaflip: Multiplier
    hue: Multiplier
    saturation: Multiplier
    imgfilter: Multiplier
    noise: Multiplier
    cutout: Multiplier

    @property
    def multipliers(self) -> dict[str, float]:
        """The multipliers of the changes that can happen, by name."""
        return {name: getattr(self, name) for name in UNIFORMS if getattr(self, name) > 0}

    @property
    def uniforms(self) -> int:
        """As many as the changes need that can happen."""
        return sum(UNIFORMS[name] for name in self.multipliers)

    @property
    def draws_noise(self) -> bool:
        """Whether noise may be added."""
        return self.noise > 0

    def begin(self, images: int, device: torch.device) -> Strength:
        """Return the strength at step 0, where each update learns from so many real images."""
        change = images * self.interval / (self.kimg * 1000)
        return AdaStrength(self.initial, self.target, change, self.interval, device)

    def transform(self, images: Tensor, uniforms: Tensor, noise: Tensor | None, strength: Tensor | None) -> Tensor:
        """Return the images moved, then colored, then corrupted; a strength of None is 1."""
        numbers = Numbers(uniforms, strength, self.multipliers)
        if placement := Placement.draw(numbers, *images.shape[2:]):
            images = placement.warp(images)
        if color := Color.draw(numbers):
            images = color.paint(images)
        if numbers.on("imgfilter"):
            images = filtered(images, draw_strengths(numbers))
        if numbers.on("noise"):
            assert noise is not None
            images = images + draw_spread(numbers) * noise.to(images.dtype)
        if numbers.on("cutout"):
            size, centre = draw_size(numbers), numbers.uniform(2)
            images = cut_out(images, size, centre)
        return images
