"""Radial power spectra of images (Durall et al. 2020, "Watch your Up-Convolution", section 3).

The spectrum of an image is the mean of its power |F|² over all directions of a spatial frequency. Two things
differ from the paper. The image's mean is removed and a Hann window fades its borders, whose jump from one side to
the other would else look like high frequencies. And power is normalised so that all coefficients together have the
image's variance: white noise of variance σ² in images of n pixels has the power σ²/n at every frequency.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganctl.images.alpha import over_white

SMALLEST = 4
"""Pixels of a side that has more frequencies than one."""

LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue weigh in grey (ITU-R BT.601)."""


def grey(rows: Tensor) -> Tensor:
    """Return images, uint8 [n, height, width, 1, 3 or 4], as grey values in [0, 1], float64 [n, height, width].

    Those with alpha lie over white.
    """
    images = over_white(rows.permute(0, 3, 1, 2).double() / 255, (0.0, 1.0))
    if images.shape[1] == 1:
        return images[:, 0]
    weighed: Tensor = torch.einsum("nchw,c->nhw", images, images.new_tensor(LUMA))
    return weighed


def frequencies(height: int, width: int) -> np.ndarray:
    """Return the frequencies of a spectrum in cycles per shorter side: 1 up to the Nyquist frequency, float64."""
    return np.arange(1, min(height, width) // 2 + 1, dtype=np.float64)


def radial_power(images: Tensor) -> Tensor:
    """Return the spectra of grey images, float64 [n, height, width], as float64 [n, frequencies].

    The power of a frequency is the mean over the coefficients whose distance from zero rounds to it; those beyond
    the Nyquist frequency, in the corners of the plane, belong to none. (Durall et al. 2020, equations 1 and 2.)
    """
    count, height, width = images.shape
    still = images - images.mean((1, 2), keepdim=True)
    power = torch.fft.fft2(still * _window(height, width)).abs().square() / (height * width) ** 2
    ring = _rings(height, width)
    inside = (ring > 0) & (ring <= min(height, width) // 2)
    sums = power.new_zeros(count, min(height, width) // 2).index_add(1, ring[inside] - 1, power[:, inside])
    spectra: Tensor = sums / torch.bincount(ring[inside] - 1)
    return spectra


def _window(height: int, width: int) -> Tensor:
    """Return the product of two Hann windows, float64 [height, width], whose mean square is 1."""
    tall, wide = (torch.hann_window(size, dtype=torch.float64) for size in (height, width))
    window: Tensor = tall[:, None] * wide
    window /= window.square().mean().sqrt()
    return window


def _rings(height: int, width: int) -> Tensor:
    """Return the rounded frequency of each coefficient in cycles per shorter side, int64 [height, width]."""
    down, across = (torch.fft.fftfreq(size, dtype=torch.float64) for size in (height, width))
    distance: Tensor = (down[:, None].square() + across.square()).sqrt()
    return (distance * min(height, width)).round().long()


@dataclass(frozen=True)
class Spectrum:
    """The spectra of many images: their mean, and their lower and upper quartile, float64 [frequencies] each."""

    mean: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @classmethod
    def of(cls, spectra: np.ndarray) -> "Spectrum":
        """Return that of spectra [images, frequencies]."""
        lower, upper = np.quantile(spectra, [0.25, 0.75], axis=0)
        return cls(spectra.mean(0), lower, upper)


def largest_ratio(power: np.ndarray, reference: np.ndarray) -> tuple[float, int]:
    """Return the ratio of two mean powers [frequencies] that is the farthest from 1 as a factor, and its place.

    Where both are 0 the ratio is 1.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where((power == 0) & (reference == 0), 1.0, power / reference)
        place = int(np.abs(np.log(ratios)).argmax())
    return float(ratios[place]), place
