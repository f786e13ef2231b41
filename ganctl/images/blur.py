"""Local means of images, which structural similarity compares."""

import math
from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

WINDOW, WINDOW_STD = 11, 1.5


def gaussian_means(like: Tensor) -> Callable[[Tensor], Tensor]:
    """Return what maps images [batch, channels, height, width] to means over a Gaussian window, without borders.

    The window has 11 pixels and σ 1.5, or fewer pixels where images of the size of `like` are smaller (Wang et
    al. 2004, section III.B). By sums of shifted images: products of matrices and convolutions may be rounded to
    TF32 on CUDA.
    """
    size = min(WINDOW, (min(like.shape[-2:]) - 1) // 2 * 2 + 1)
    window = [math.exp(-((place - size // 2) ** 2) / (2 * WINDOW_STD**2)) for place in range(size)]
    shares = [weight / math.fsum(window) for weight in window]

    def along(images: Tensor, dimension: int) -> Tensor:
        length = images.shape[dimension] - size + 1
        parts = (share * images.narrow(dimension, place, length) for place, share in enumerate(shares))
        return reduce(torch.add, parts)

    return lambda images: along(along(images, 2), 3)
