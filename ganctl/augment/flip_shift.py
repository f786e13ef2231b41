"""The mildest augmentation: flips and shifts that keep an image's statistics."""

import torch
from torch import Tensor

from ganctl.augment.diffaugment import shift_of


def flip_and_shift(images: Tensor, uniforms: Tensor) -> Tensor:
    """Return images flipped if u < 0.5, then shifted by up to an eighth of the sides, reflected at their borders.

    Images are [n, channels, height, width]; uniforms [n, 3] are for the flip, rows and columns.
    """
    height, width = images.shape[2:]
    rows = _sources(shift_of(uniforms[:, 1], height), height)
    columns = _sources(shift_of(uniforms[:, 2], width), width)
    columns = torch.where(uniforms[:, :1] < 0.5, width - 1 - columns, columns)
    index = (rows[:, :, None] * width + columns[:, None, :]).view(len(images), 1, -1)
    return images.flatten(2).gather(2, index.expand(-1, images.shape[1], -1)).view(images.shape)


def _sources(shift: Tensor, size: int) -> Tensor:
    """Return where along an axis each pixel comes from, int64 [n, size], inside by reflection."""
    places = (torch.arange(size, device=shift.device) + shift[:, None]).abs()
    return size - 1 - (size - 1 - places).abs()
