"""Local means of pictures, which structural similarity compares."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

WINDOW, WINDOW_STD = 11, 1.5


def gaussian_means(like: Tensor) -> Callable[[Tensor], Tensor]:
    """Return what maps pictures [batch, channels, height, width] to means over a Gaussian window, without borders.

    The window has 11 pixels and σ 1.5, or fewer pixels where pictures of the size of `like` are smaller (Wang et
    al. 2004, section III.B).
    """
    size = min(WINDOW, (min(like.shape[-2:]) - 1) // 2 * 2 + 1)
    offsets = torch.arange(size, device=like.device, dtype=like.dtype) - size // 2
    window = (-offsets.square() / (2 * WINDOW_STD**2)).exp()
    window = window / window.sum()

    def means(pictures: Tensor) -> Tensor:
        planes = pictures.flatten(0, 1)[:, None]
        planes = conv2d(conv2d(planes, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
        return planes.reshape(*pictures.shape[:2], *planes.shape[-2:])

    return means
