"""Halving and doubling the sides of maps by the kernel [1, 3, 3, 1] / 8 (Huang et al. 2024, config E)."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

KERNEL = (0.125, 0.375, 0.375, 0.125)


def halved(maps: Tensor) -> Tensor:
    """Return [batch, channels, height / 2, width / 2] of maps with even sides; zeros lie around the maps."""
    result: Tensor = _Halved.apply(maps)
    return result


def doubled(maps: Tensor) -> Tensor:
    """Return [batch, channels, 2 height, 2 width]: `halved`'s transpose, times 4."""
    if torch.compiler.is_exporting():
        return _doubled(maps)
    result: Tensor = _Doubled.apply(maps)
    return result


def _doubled(maps: Tensor) -> Tensor:
    larger = interpolate(pad(maps, (1, 1, 1, 1)), scale_factor=2, mode="bilinear")[:, :, 2:-2, 2:-2]
    return larger.contiguous(memory_format=torch.channels_last)


class _Halved(torch.autograd.Function):
    """Its gradient is a quarter of `_Doubled`."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        channels, factors = maps.shape[1], torch.tensor(KERNEL, dtype=maps.dtype, device=maps.device)
        kernel = factors[:, None] * factors
        return conv2d(maps, kernel.expand(channels, 1, 4, 4), stride=2, padding=1, groups=channels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        result: Tensor = _Doubled.apply(gradients[0] / 4)
        return result


class _Doubled(torch.autograd.Function):
    """Its gradient is four times `_Halved`."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        return _doubled(maps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        result: Tensor = _Halved.apply(gradients[0]) * 4
        return result
