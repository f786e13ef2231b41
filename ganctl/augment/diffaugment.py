"""DiffAugment (Zhao et al. 2020): color, translation and cutout, each of every image."""

from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from ganctl.augment.augmentation import AUGMENTS, Augment, color_channels

Policy = Literal["color", "translation", "cutout"]

UNIFORMS: dict[Policy, int] = {"color": 3, "translation": 2, "cutout": 2}
"""Numbers in [0, 1) a sample: brightness, saturation, contrast; or for the rows and for the columns."""


@AUGMENTS.register
class DiffAugment(Augment):
    """The changes of `policy`, in their order (Zhao et al. 2020, section 3.3).

    Whole numbers come from uniform ones: of k possible values, the one numbered ⌊u · k⌋ from below.
    """

    name: Literal["diffaugment"]
    policy: Annotated[list[Policy], Field(min_length=1)]

    @property
    def uniforms(self) -> int:
        """As many as the policies need together."""
        return sum(UNIFORMS[policy] for policy in self.policy)

    def transform(self, images: Tensor, uniforms: Tensor, noise: Tensor | None, strength: Tensor | None) -> Tensor:
        """Return the images after each policy in turn."""
        numbers = uniforms.split([UNIFORMS[policy] for policy in self.policy], 1)
        for policy, mine in zip(self.policy, numbers, strict=True):
            images = CHANGES[policy](images, mine)
        return images


def jitter(images: Tensor, uniforms: Tensor) -> Tensor:
    """Return images of other brightness (± 0.5), saturation (× 0 to 2), and contrast (× 0.5 to 1.5).

    Images are in [-1, 1], uniforms [n, 3]. An alpha channel stays as it is. The three changes in turn are one
    linear function of a pixel, of its mean over the channels and of the image's mean.
    """
    brightness, saturation, contrast = (uniforms - 0.5).view(-1, 3, 1, 1, 1).unbind(1)
    saturation, contrast = 1 + 2 * saturation, 1 + contrast
    colors = color_channels(images)
    color = images[:, :colors]
    gray = color.mean(1, keepdim=True)
    light = contrast * (1 - saturation) * gray + (1 - contrast) * gray.mean((2, 3), keepdim=True) + brightness
    color = torch.addcmul(light, color, contrast * saturation)
    return color if colors == images.shape[1] else torch.cat([color, images[:, colors:]], 1)


def translate(images: Tensor, uniforms: Tensor) -> Tensor:
    """Return images moved by whole pixels, up to an eighth of either side, uniforms [n, 2]; 0 comes in."""
    rows, columns = (shift_of(uniforms[:, i], size) for i, size in enumerate(images.shape[2:]))
    shifted: Tensor = Shift.apply(images, rows, columns)
    return shifted


def shift_of(uniform: Tensor, size: int) -> Tensor:
    """Return whole numbers of pixels, int64 [n], up to an eighth of a side, of uniform numbers [n]."""
    largest = int(size / 8 + 0.5)
    return _whole(uniform, 2 * largest + 1) - largest


def _whole(uniform: Tensor, count: int) -> Tensor:
    return (uniform * count).long().clamp_(max=count - 1)  # in float32, u · k may round up to k


class Shift(torch.autograd.Function):
    """Pixel [i, j] becomes [i + row, j + column] of each image, or 0 outside.

    Images are [n, channels, height, width], row and column int64 [n]. The adjoint is the opposite shift.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """Return the shifted images, contiguous."""
        ctx.save_for_backward(row, column)
        height, width = images.shape[2:]
        rows, in_rows = _sources(row, height)
        columns, in_columns = _sources(column, width)
        index = (rows[:, :, None] * width + columns[:, None, :]).flatten(1)
        inside = (in_rows[:, :, None] & in_columns[:, None, :])[:, None]
        pixels = images.flatten(2).gather(2, index[:, None].expand(-1, images.shape[1], -1))
        return pixels.view(images.shape) * inside

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of the images, itself differentiable."""
        row, column = ctx.saved_tensors
        return Shift.apply(gradients[0], -row, -column), None, None


def _sources(shift: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Return where along an axis each pixel comes from, [n, size], and whether that is inside."""
    places = torch.arange(size, device=shift.device) + shift[:, None]
    within = places.clamp(0, size - 1)
    return within, within == places


def cut_out(images: Tensor, uniforms: Tensor) -> Tensor:
    """Return images with a rectangle of half of either side set to 0, uniforms [n, 2]; a part may lie outside."""
    rows, columns = (_hole(uniforms[:, i], size) for i, size in enumerate(images.shape[2:]))
    return images * ~(rows[:, :, None] & columns[:, None, :])[:, None]


def _hole(uniform: Tensor, size: int) -> Tensor:
    hole = int(size / 2 + 0.5)
    first = _whole(uniform, size + (1 - hole % 2)) - hole // 2
    places = torch.arange(size, device=uniform.device) - first[:, None]
    return (places >= 0) & (places < hole)


CHANGES = {"color": jitter, "translation": translate, "cutout": cut_out}
