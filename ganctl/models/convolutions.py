"""Convolutions in the form that a CPU computes fastest; the values are torch's but for rounding.

oneDNN is several times slower at spreading many channels over a few pixels' than at gathering them: at a
transposed convolution to pixels, and at the gradient of a convolution at its pixels. Both are a matrix product,
which gives each place's share in the patch around it, and the sum of overlapping patches. A convolution with one
place, which a kernel covers wholly, is a dense layer.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, fold, linear

FEW = 4
"""Channels up to which they are pixels."""

Size = tuple[int, int]


class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d`, faster on a CPU where it has one place, and at its gradient at pixels."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of [batch, inputs, height, width]."""
        if not _on_cpu(self, input):
            return super().forward(input)
        if input.shape[2:] == self.kernel_size and self.padding == (0, 0):
            judged = linear(_channels_last(input), _channels_last(self.weight), self.bias)
            return judged[:, :, None, None]
        if self.in_channels > FEW or not input.requires_grad:
            return super().forward(input)
        pixels, weight = _cast(input), _cast(self.weight)
        bias = None if self.bias is None else _cast(self.bias)
        result: Tensor = _Gather.apply(pixels, weight, bias, self.stride, self.padding)
        return result


class ConvTranspose2d(nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d`, faster on a CPU where it begins with one place, and on its way to pixels."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the transposed convolution of [batch, inputs, height, width]."""
        if not _on_cpu(self, input) or output_size is not None:
            return super().forward(input, output_size)
        if input.shape[2:] == (1, 1) and self.padding == self.output_padding == (0, 0):
            base = input.flatten(1) @ _channels_last(self.weight)
            return self._biased(base.unflatten(1, (*self.kernel_size, -1)).permute(0, 3, 1, 2))
        if self.out_channels > FEW:
            return super().forward(input)
        assert not isinstance(self.padding, str)
        sides = zip(input.shape[2:], self.kernel_size, self.stride, self.padding, self.output_padding, strict=True)
        height, width = (
            (side - 1) * stride - 2 * padding + kernel + extra for side, kernel, stride, padding, extra in sides
        )
        maps, weight = _cast(input), _cast(self.weight)
        return self._biased(_Spread.apply(maps, weight, self.stride, self.padding, (height, width)))

    def _biased(self, maps: Tensor) -> Tensor:
        return maps if self.bias is None else maps + self.bias.to(maps.dtype)[:, None, None]


def _on_cpu(layer: nn.Conv2d | nn.ConvTranspose2d, samples: Tensor) -> bool:
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    return samples.device.type == "cpu" and plain and not isinstance(layer.padding, str)


def _channels_last(maps: Tensor) -> Tensor:
    """Return maps [count, channels, height, width] as rows [count, height × width × channels]."""
    return maps.permute(0, 2, 3, 1).flatten(1)


def _cast(values: Tensor) -> Tensor:
    """Return values in the type that autocast would give a convolution."""
    return values.to(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else values


class _Gather(torch.autograd.Function):
    """A convolution whose gradient at its input is a `_Spread`, and so on for gradients of gradients."""

    @staticmethod
    def forward(
        ctx: Any, pixels: Tensor, weight: Tensor, bias: Tensor | None, stride: Size, padding: Size
    ) -> Tensor:
        ctx.save_for_backward(pixels, weight)
        ctx.settings = stride, padding
        return conv2d(pixels, weight, bias, stride, padding)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        pixels, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        at_pixels = _Spread.apply(gradient, weight, *ctx.settings, pixels.shape[2:]) if wanted[0] else None
        at_weight = _at_weight(pixels, gradient, weight, *ctx.settings) if wanted[1] else None
        at_bias = gradient.sum((0, 2, 3)) if wanted[2] else None
        return at_pixels, at_weight, at_bias, None, None


class _Spread(torch.autograd.Function):
    """A transposed convolution by a matrix product; its gradient at its input is a `_Gather`."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: Size, padding: Size, size: Size) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.settings = stride, padding
        patches = weight.flatten(1).t() @ maps.flatten(2)
        return fold(patches, size, weight.shape[2:], padding=padding, stride=stride)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        maps, weight = ctx.saved_tensors
        wanted = ctx.needs_input_grad
        at_maps = _Gather.apply(gradient, weight, None, *ctx.settings) if wanted[0] else None
        at_weight = _at_weight(gradient, maps, weight, *ctx.settings) if wanted[1] else None
        return at_maps, at_weight, None, None, None


def _at_weight(pixels: Tensor, gradient: Tensor, weight: Tensor, stride: Size, padding: Size) -> Tensor:
    """Return the gradient at the weight of a convolution of pixels, itself differentiable."""
    mask = [False, True, False]
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, pixels, weight, None, stride, padding, (1, 1), False, (0, 0), 1, mask
    )[1]
    return found
