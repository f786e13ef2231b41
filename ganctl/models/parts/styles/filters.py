"""Filters of images, and changes of their side by filters (Karras et al. 2020, section 2; Zhang 2019)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, pad

BINOMIAL = (1.0, 3.0, 3.0, 1.0)
"""Taps of StyleGAN2's filter along each axis."""

Padding = tuple[int, int, int, int]
"""Pixels of zeros at the left, right, top and bottom; negative ones are cut off."""


class Filter(nn.Module):
    """A filter along both axes, of a sum of 1 before its `gain`, of images of other sides.

    `up` - 1 zeros are put between the pixels, then `padding` around them; they are convolved with the `taps` of
    both axes, and each `down`th pixel stays. The gradient is such a filter, too: torch differentiates convolutions
    by groups slowly.
    """

    kernel: Tensor

    def __init__(
        self, padding: Padding, up: int = 1, down: int = 1, gain: float = 1.0, taps: Sequence[float] = BINOMIAL
    ) -> None:
        super().__init__()
        self.settings = up, down, padding
        self.taps, self.gain = taps, gain
        line = torch.tensor(taps)
        kernel = torch.outer(line, line).flip(0, 1) * (gain / line.sum().square())
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Return [batch, channels, …] of maps [batch, channels, height, width], in their type."""
        if torch.compiler.is_exporting():
            return _exported(maps, self.kernel, *self.settings)
        filtered: Tensor = _Filtered.apply(maps, self.kernel, *self.settings)
        return filtered


def doubling() -> Filter:
    """Return the filter of twice the side."""
    return Filter((2, 2, 2, 2), up=2, gain=4.0)


def halving() -> Filter:
    """Return the filter of half the side."""
    return Filter((1, 1, 1, 1), down=2)


class _Filtered(torch.autograd.Function):
    """Zeros between pixels and around them, correlation with a kernel [height, width], and each `down`th pixel."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, kernel: Tensor, up: int, down: int, padding: Padding) -> Tensor:
        ctx.save_for_backward(kernel)
        ctx.settings = up, down, padding, maps.shape[2:]
        return _filtered(maps, kernel.to(maps.dtype), up, down, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        (kernel,) = ctx.saved_tensors
        up, down, (left, _, top, _), (height, width) = ctx.settings
        kernel_height, kernel_width = kernel.shape
        before = kernel_width - 1 - left, kernel_height - 1 - top
        # As many pixels as the maps had: the stretched gradient is padded until the kernel fits there so often.
        after = (
            (width - 1) * up + kernel_width - before[0] - ((gradient.shape[3] - 1) * down + 1),
            (height - 1) * up + kernel_height - before[1] - ((gradient.shape[2] - 1) * down + 1),
        )
        around = (before[0], after[0], before[1], after[1])
        return _Filtered.apply(gradient, kernel.flip(0, 1), down, up, around), None, None, None, None


def _filtered(maps: Tensor, kernel: Tensor, up: int, down: int, padding: Padding) -> Tensor:
    channels, last = maps.shape[1], maps.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    left, right, top, bottom = padding
    if up > 1:
        batch, _, height, width = maps.shape
        sides = ((height - 1) * up + 1, (width - 1) * up + 1)
        stretched = maps.new_zeros(batch, channels, *sides).contiguous(memory_format=layout)
        stretched[:, :, ::up, ::up] = maps
        maps = stretched
    if left == right >= 0 and top == bottom >= 0:
        inside = (top, left)
    else:
        maps, inside = pad(maps, padding), (0, 0)
    weight = kernel.expand(channels, 1, *kernel.shape).contiguous()
    return conv2d(maps, weight, None, down, inside, 1, channels)


def _exported(maps: Tensor, kernel: Tensor, up: int, down: int, padding: Padding) -> Tensor:
    """Return the same; what only enlarges as one transposed convolution, which other programs know."""
    channels, side = maps.shape[1], len(kernel)
    if up == 1 or down > 1 or len(set(padding)) > 1 or padding[0] >= side:
        return _filtered(maps, kernel, up, down, padding)
    weight = kernel.flip(0, 1).expand(channels, 1, side, side).contiguous()
    return conv_transpose2d(maps, weight, None, up, side - 1 - padding[0], 0, channels)
