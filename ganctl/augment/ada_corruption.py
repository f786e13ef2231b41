"""ADA's corruptions: filters of frequency bands, noise and cutout (Karras et al. 2020, appendix B)."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from ganctl.augment.ada_numbers import Numbers, constant

SYM2 = (-0.12940952255092145, 0.22414386804185735, 0.836516303737469, 0.48296291314469025)
"""The lowpass filter of the symlet with two vanishing moments (Daubechies 1992)."""

POWERS = (10 / 13, 1 / 13, 1 / 13, 1 / 13)
"""The share of each band, the lowest frequencies first, in the power of natural images."""


def draw_strengths(numbers: Numbers) -> Tensor:
    """Return by what each band is multiplied, [n, bands], such that the expected power stays."""
    strengths = numbers.uniforms.new_ones(len(numbers.uniforms), len(POWERS))
    powers = constant(numbers.uniforms, *POWERS)
    for band in range(len(POWERS)):
        strength = numbers.happens("imgfilter", numbers.normal().exp2(), 1)
        factors = torch.where(torch.arange(len(POWERS), device=powers.device) == band, strength, 1)
        strengths = strengths * factors / (powers * factors.square()).sum(1, keepdim=True).sqrt()
    return strengths


def filtered(images: Tensor, strengths: Tensor) -> Tensor:
    """Return images [n, channels, height, width] of which each band is multiplied by its strength [n, bands]."""
    rows, columns = (
        (strengths @ _bands(size, images.dtype, images.device)).view(-1, 1, size, size)
        for size in images.shape[2:]
    )
    return rows @ images @ columns.mT


@cache
def _bands(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the filter of each band as a matrix of an axis, reflected at its ends, [bands, size · size]."""
    bank = torch.from_numpy(filter_bank().astype(np.float32)).to(device, dtype)  # as the official code rounds it
    reach = bank.shape[1] // 2
    period = max(2 * (size - 1), 1)
    places = torch.arange(-reach, size + reach, device=device) % period
    mirrored = torch.minimum(places, period - places)
    at = (mirrored[:, None] == torch.arange(size, device=device)).to(dtype)
    return torch.stack([(bank @ at[first : first + bank.shape[1]]) for first in range(size)], 1).flatten(1)


def filter_bank() -> np.ndarray:
    """Return the filters of the bands, [bands, 43], whose sum is 1 at the centre and 0 elsewhere."""
    low = np.asarray(SYM2)
    high = low * (-1.0) ** np.arange(len(low))
    low, high = (np.convolve(each, each[::-1]) / 2 for each in (low, high))
    bank = np.eye(len(POWERS), 1)
    for band in range(1, len(POWERS)):
        spread = np.zeros((len(POWERS), 2 * bank.shape[1] - 1))
        spread[:, ::2] = bank
        bank = np.stack([np.convolve(each, low) for each in spread])
        first = (bank.shape[1] - len(high)) // 2
        bank[band, first : first + len(high)] += high
    return bank


def draw_spread(numbers: Numbers) -> Tensor:
    """Return the standard deviation of the noise, [n, 1, 1, 1]."""
    return numbers.happens("noise", numbers.normal().abs() * 0.1, 0)[:, :, None, None]


def draw_size(numbers: Numbers) -> Tensor:
    """Return the share of either side that is cut out, [n, 1]."""
    return numbers.happens("cutout", constant(numbers.uniforms, 0.5), 0)


def cut_out(images: Tensor, size: Tensor, centre: Tensor) -> Tensor:
    """Return images with a rectangle set to 0: its size [n, 1] and centre [n, (x, y)] as shares of the sides."""
    rows, columns = (
        ((torch.arange(side, device=centre.device) + 0.5) / side - centre[:, [axis]]).abs() < size / 2
        for side, axis in zip(images.shape[2:], (1, 0), strict=True)
    )
    return images * ~(rows[:, :, None] & columns[:, None, :])[:, None]
