"""The blocks of FastGAN (Liu et al. 2021): gated generator blocks, two-branch halving, skip-layer excitation."""

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d, leaky_relu, silu
from torch.nn.utils.parametrizations import spectral_norm

from ganctl.models.parts.batch_norm import BatchNorm2d
from ganctl.models.parts.resampling import DoublingConv2d

STD = 0.02
SLOPE = 0.2
EXCITED = 4
"""Pixels a side to which maps are averaged before they excite larger ones."""


def normalised(layer: nn.Module) -> nn.Module:
    """Initialise a layer's weight by N(0, 0.02²), its bias by 0, and wrap it in spectral norm."""
    nn.init.normal_(layer.weight, 0.0, STD)  # type: ignore[arg-type]
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return spectral_norm(layer)


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, padding: int = 0) -> nn.Module:
    """Return a convolution without bias, spectrally normalised.

    torch's own, which is the fastest for few channels at large sides.
    """
    return normalised(nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False))


def batch_norm(channels: int) -> BatchNorm2d:
    """Return batch norm whose scales start at N(1, 0.02²)."""
    norm = BatchNorm2d(channels)
    nn.init.normal_(norm.weight, 1.0, STD)
    return norm


def gated(maps: Tensor) -> Tensor:
    """Return the first half of the channels, each times the sigmoid of its fellow in the second.

    As `torch.nn.functional.glu`, whose gradient is not channels last, which makes that of a batch norm before it
    20 times slower on a CPU.
    """
    values, gates = maps.chunk(2, 1)
    return values * gates.sigmoid()


class Noise(nn.Module):
    """Adds to each pixel of all channels one normal number times a learned weight, in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps [batch, channels, height, width] of the same."""
        if not self.training:
            return maps
        count, _, height, width = maps.shape
        noise = torch.randn((count, 1, height, width), device=maps.device, dtype=maps.dtype)
        return maps + self.weight.to(maps.dtype) * noise


class Gated(nn.Module):
    """A 3×3 convolution to twice as many channels, noise if `noisy`, batch norm, and a gated linear unit."""

    def __init__(self, inputs: int, outputs: int, *, doubles: bool, noisy: bool) -> None:
        super().__init__()
        if doubles:
            self.conv = normalised(DoublingConv2d(inputs, 2 * outputs, bias=False))
        else:
            self.conv = convolution(inputs, 2 * outputs, 3, 1, 1)
        self.noise = Noise() if noisy else nn.Identity()
        self.norm = batch_norm(2 * outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """Return [batch, outputs, …], of twice the side if it doubles."""
        return gated(self.norm(self.noise(self.conv(maps))))


def doubling(inputs: int, outputs: int, *, noisy: bool) -> nn.Sequential:
    """Return what doubles the side: one gated convolution, or two with noise."""
    first = Gated(inputs, outputs, doubles=True, noisy=noisy)
    return nn.Sequential(first, *[Gated(outputs, outputs, doubles=False, noisy=True)] * noisy)


class Excitation(nn.Module):
    """Scales the channels of large maps by what smaller ones say (skip-layer excitation, equation 2)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.squeeze = convolution(inputs, outputs, EXCITED)
        self.excite = convolution(outputs, outputs, 1)

    def forward(self, source: Tensor, maps: Tensor) -> Tensor:
        """Return maps [batch, outputs, …], each channel times a number in (0, 1); source [batch, inputs, …]."""
        squeezed = self.squeeze(adaptive_avg_pool2d(source, EXCITED))
        excited: Tensor = maps * self.excite(silu(squeezed)).sigmoid()
        return excited


class Halving(nn.Module):
    """A 4×4 convolution of stride 2, batch norm and leaky ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = convolution(inputs, outputs, 4, 2, 1)
        self.norm = batch_norm(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """Return [batch, outputs, height / 2, width / 2]."""
        return leaky_relu(self.norm(self.conv(maps)), SLOPE, inplace=True)


class HalvingPair(nn.Module):
    """The mean of two branches: a halving and a 3×3 convolution, and a 1×1 convolution of the pixels' means."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.halve = Halving(inputs, outputs)
        self.conv = convolution(outputs, outputs, 3, 1, 1)
        self.norm = batch_norm(outputs)
        self.direct = convolution(inputs, outputs, 1)
        self.direct_norm = batch_norm(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """Return [batch, outputs, height / 2, width / 2]."""
        main = leaky_relu(self.norm(self.conv(self.halve(maps))), SLOPE, inplace=True)
        direct = leaky_relu(self.direct_norm(self.direct(avg_pool2d(maps, 2))), SLOPE, inplace=True)
        return (main + direct) / 2
