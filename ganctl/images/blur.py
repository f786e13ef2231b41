"""Local means of images, and their structural similarity (Wang et al. 2004)."""

import math
from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

WINDOW, WINDOW_STD = 11, 1.5
STABILISERS = (0.01, 0.03)


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


def similarity_terms(first: Tensor, second: Tensor, value_range: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return maps of the similarity of pairs of images [n, channels, height, width] in [0, value_range].

    Numerator and denominator of luminance, then of contrast times structure (Wang et al. 2004, equations 6, 9 and
    10). In full precision: variances are differences of large numbers.
    """
    blurred = gaussian_means(first)
    small, large = ((share * value_range) ** 2 for share in STABILISERS)
    with torch.autocast(first.device.type, enabled=False):
        mean_1, mean_2 = blurred(first), blurred(second)
        variance_1 = blurred(first.square()) - mean_1.square()
        variance_2 = blurred(second.square()) - mean_2.square()
        covariance = blurred(first * second) - mean_1 * mean_2
        light = (2 * mean_1 * mean_2 + small, mean_1.square() + mean_2.square() + small)
        return *light, 2 * covariance + large, variance_1 + variance_2 + large
