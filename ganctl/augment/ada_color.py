"""ADA's changes of color: one affine function of each pixel (Karras et al. 2020, appendix B)."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganctl.augment.ada_numbers import Numbers
from ganctl.augment.augmentation import color_channels

CHANGES = ("brightness", "contrast", "lumaflip", "hue", "saturation")


@dataclass(frozen=True)
class Color:
    """A color x, red, green and blue, becomes luma · P(x + brightness) + (even · Q + turned · K) x; all [n, 1].

    P projects on the gray axis, Q = 1 − P on the plane at right angles to it, and K is Q with a quarter turn.
    """

    brightness: Tensor
    luma: Tensor
    even: Tensor
    turned: Tensor

    @classmethod
    def draw(cls, numbers: Numbers) -> "Color | None":
        """Return the colors of a batch, or None if none of the changes can happen."""
        if not numbers.on(*CHANGES):
            return None
        brightness = hue = torch.zeros_like(numbers.uniforms[:, :1])
        contrast = flip = saturation = torch.ones_like(brightness)
        if numbers.on("brightness"):
            brightness = numbers.happens("brightness", numbers.normal() * 0.2, 0)
        if numbers.on("contrast"):
            contrast = numbers.happens("contrast", (numbers.normal() * 0.5).exp2(), 1)
        if numbers.on("lumaflip"):
            flip = numbers.happens("lumaflip", 1 - 2 * numbers.whole(2), 1)
        if numbers.on("hue"):
            hue = numbers.happens("hue", numbers.angle(), 0)
        if numbers.on("saturation"):
            saturation = numbers.happens("saturation", numbers.normal().exp2(), 1)
        chroma = contrast * saturation
        return cls(brightness, contrast * flip, chroma * hue.cos(), chroma * hue.sin())

    def paint(self, images: Tensor) -> Tensor:
        """Return images [n, channels, height, width] in these colors; gray ones keep to P, alpha stays."""
        colors = color_channels(images)
        color = images[:, :colors].flatten(2)
        offset = (self.luma * self.brightness)[:, :, None]
        gray = colors != 3
        painted = offset + self.luma[:, :, None] * color if gray else torch.baddbmm(offset, self._matrix(), color)
        painted = painted.unflatten(2, images.shape[2:])
        return painted if colors == images.shape[1] else torch.cat([painted, images[:, colors:]], 1)

    def _matrix(self) -> Tensor:
        gray = self.luma.new_full((3, 3), 1 / 3)
        rest = torch.eye(3, dtype=gray.dtype, device=gray.device) - gray
        turn = (rest.roll(1, 0) - rest.roll(-1, 0)) / 3**0.5
        bases = torch.stack([gray, rest, turn]).flatten(1)
        return (torch.cat([self.luma, self.even, self.turned], 1) @ bases).view(-1, 3, 3)
