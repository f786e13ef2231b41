"""Convolutions whose weights a style scales (Karras et al. 2020, section 2.2).

A style scales the inputs of a convolution instead of its weights, and what demodulates them its outputs, so that
all samples of a batch share one convolution: the same by linearity, and faster than a convolution for each.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, leaky_relu

from ganctl.models.parts.convolutions import convolved
from ganctl.models.parts.styles.equalized import ACTIVE_GAIN, SLOPE, EqualLinear
from ganctl.models.parts.styles.filters import Filter

EPSILON = 1e-8


class ModulatedConv2d(nn.Module):
    """A 3×3 convolution, demodulated, of the same or `doubles` twice the side; then noise, bias and leaky ReLU.

    The noise is one normal number a pixel, the same for all channels, times a learned `strength`. In training it
    is drawn for each sample, by torch's global generator; else it is the buffer `noise`. `sides` are height and
    width of the output.
    """

    noise: Tensor

    def __init__(self, inputs: int, outputs: int, style: int, sides: tuple[int, int], *, doubles: bool) -> None:
        super().__init__()
        self.affine = EqualLinear(style, inputs, start=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(sides))
        self.filter = Filter((1, 1, 1, 1), gain=4.0) if doubles else None

    def forward(self, maps: Tensor, style: Tensor, gain: float = 1.0) -> Tensor:
        """Return [batch, outputs, …] of maps [batch, inputs, height, width] and a style [batch, width]."""
        gain *= ACTIVE_GAIN
        with torch.autocast(maps.device.type, enabled=False):
            scale: Tensor = self.affine(style)
            lengths = demodulation(self.weight, scale) * gain
        mixed = modulated(maps, self.weight, scale, self.filter)
        dtype = mixed.dtype
        bias = (self.bias * gain).to(dtype)[:, None, None]
        demodulated = torch.addcmul(bias, mixed, lengths.to(dtype)[:, :, None, None])
        if self.training:
            noise = torch.randn(len(maps), 1, *self.noise.shape, dtype=self.noise.dtype, device=maps.device)
        else:
            noise = self.noise
        return leaky_relu(demodulated + (noise * (self.strength * gain)).to(dtype), SLOPE, inplace=True)


class ToPixels(nn.Module):
    """A modulated 1×1 convolution to the channels of images, not demodulated, and a bias."""

    def __init__(self, inputs: int, channels: int, style: int) -> None:
        super().__init__()
        self.affine = EqualLinear(style, inputs, start=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.scale = inputs**-0.5

    def forward(self, maps: Tensor, style: Tensor) -> Tensor:
        """Return [batch, channels, height, width] in the weights' type."""
        with torch.autocast(maps.device.type, enabled=False):
            scale = self.affine(style) * self.scale
            weight = scale[:, None] * self.weight.flatten(1)  # of each sample, [batch, channels, inputs]
        pixels = maps.permute(0, 2, 3, 1).flatten(1, 2) @ weight.to(maps.dtype).transpose(1, 2)
        images: Tensor = pixels.unflatten(1, maps.shape[2:]).permute(0, 3, 1, 2)
        return images.to(self.bias.dtype) + self.bias[:, None, None]


def modulated(maps: Tensor, weight: Tensor, scale: Tensor, filter: Filter | None = None) -> Tensor:
    """Return the convolution of maps, scaled by [batch, inputs], and a weight [outputs, inputs, side, side].

    With a `filter`, of twice the side.
    """
    scaled = maps * scale.to(maps.dtype)[:, :, None, None]
    if filter is None:
        return convolved(scaled, weight, None, 1, weight.shape[2] // 2)
    doubled: Tensor = filter(conv_transpose2d(scaled, weight.transpose(0, 1), stride=2))
    return doubled


def demodulation(weight: Tensor, scale: Tensor) -> Tensor:
    """Return by what to scale the outputs of `modulated` so that their weights have length 1, [batch, outputs]."""
    squares: Tensor = scale.square() @ weight.square().sum((2, 3)).T
    return (squares + EPSILON).rsqrt()
