"""Layers with an equalised learning rate: weights are N(0, 1) and scaled in the forward (Karras et al. 2018)."""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, linear

from ganctl.models.parts.convolutions import convolved
from ganctl.models.parts.styles.filters import Filter, doubling, halving

SLOPE = 0.2
ACTIVE_GAIN = 2.0**0.5
"""What makes up for the variance that leaky ReLU takes."""

BRANCH_GAIN = 0.5**0.5
"""The gain of either branch of a residual block, so that their sum has the variance of one."""


class EqualLinear(nn.Module):
    """A linear map of [batch, inputs], with leaky ReLU if `active`.

    The learning rate is `rate` times that of others. A bias starts at `start`.
    """

    def __init__(
        self, inputs: int, outputs: int, *, active: bool = False, rate: float = 1.0, start: float = 0.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), start / rate))
        self.active = active
        self.bias_gain = rate * (ACTIVE_GAIN if active else 1.0)
        self.weight_gain = self.bias_gain * inputs**-0.5

    def forward(self, values: Tensor) -> Tensor:
        """Return [batch, outputs]."""
        mapped = linear(values, self.weight * self.weight_gain, self.bias * self.bias_gain)
        return leaky_relu(mapped, SLOPE, inplace=True) if self.active else mapped


class EqualConv2d(nn.Module):
    """A convolution that keeps the side or halves it, with bias and leaky ReLU if `active`.

    Before it, images whose side is halved are filtered.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, active: bool = True, halves: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if active else None
        self.scale = (inputs * kernel**2) ** -0.5
        self.stride, self.padding = 1, kernel // 2
        self.filter: Filter | None = None
        if halves and kernel == 1:
            self.filter = halving()
        elif halves:
            around = kernel // 2 + 1
            self.filter, self.stride, self.padding = Filter((around,) * 4), 2, 0

    def forward(self, maps: Tensor, gain: float = 1.0) -> Tensor:
        """Return [batch, outputs, …] of maps [batch, inputs, height, width], times a gain."""
        if self.filter is not None:
            maps = self.filter(maps)
        if self.bias is None:
            return convolved(maps, self.weight * (self.scale * gain), None, self.stride, self.padding)
        gain *= ACTIVE_GAIN
        weight, bias = self.weight * (self.scale * gain), self.bias * gain
        return leaky_relu(convolved(maps, weight, bias, self.stride, self.padding), SLOPE, inplace=True)


class DoublingShortcut(nn.Module):
    """A 1×1 convolution without bias to twice the side, for a residual block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mix, self.filter = EqualConv2d(inputs, outputs, 1, active=False), doubling()

    def forward(self, maps: Tensor, gain: float = 1.0) -> Tensor:
        """Return [batch, outputs, 2 height, 2 width], times a gain."""
        doubled: Tensor = self.filter(self.mix(maps, gain))
        return doubled
