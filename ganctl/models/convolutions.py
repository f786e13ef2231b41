"""Convolutions in the form that a CPU computes fastest; the values are torch's but for rounding.

oneDNN is several times slower at spreading many channels over a few pixels' than at gathering them: at a
transposed convolution to pixels, and at the gradient of a convolution at its pixels. Both are a matrix product,
which gives each place's share in the patch around it, and the sum of overlapping patches. In bf16, with many
channels, it is slower at the gradient at the weight than at a product of the patches and the gradients. A
convolution with one place, which a kernel covers wholly, is a dense layer.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, fold, linear, pad

FEW = 4
"""Channels up to which they are pixels."""
MANY = 128
"""Channels of the patches from which their product pays: below, laying them out takes what it saves."""
LARGEST = 1 << 25
"""Numbers in the patches that are laid out at a time."""

Size = tuple[int, int]

_weights_wanted = ContextVar("_weights_wanted", default=True)


@contextmanager
def gradients_at_samples_alone() -> Iterator[None]:
    """Let no convolution compute the gradient at its weight in a backward pass inside the block.

    For gradients that are asked for at the samples: a function of ours is not told that nobody asks for others.
    """
    token = _weights_wanted.set(False)
    try:
        yield
    finally:
        _weights_wanted.reset(token)


class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d`, faster on a CPU: where it has one place, at gradients at pixels, in bf16 at weights."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of [batch, inputs, height, width]."""
        if not _on_cpu(self, input):
            return super().forward(input)
        if input.shape[2:] == self.kernel_size and self.padding == (0, 0):
            judged = linear(_channels_last(input), _channels_last(self.weight), self.bias)
            return judged[:, :, None, None]
        pixels = self.in_channels <= FEW and input.requires_grad
        if not (pixels or (self.in_channels >= MANY and _in_bf16(input))):
            return super().forward(input)
        bias = None if self.bias is None else _cast(self.bias)
        result: Tensor = _Gather.apply(_cast(input), _cast(self.weight), bias, self.stride, self.padding)
        return result


class ConvTranspose2d(nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d`, faster on a CPU: from one place, to pixels, in bf16 at gradients at weights."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the transposed convolution of [batch, inputs, height, width]."""
        if not _on_cpu(self, input) or output_size is not None:
            return super().forward(input, output_size)
        if input.shape[2:] == (1, 1) and self.padding == self.output_padding == (0, 0):
            base = input.flatten(1) @ _channels_last(self.weight)
            return self._biased(base.unflatten(1, (*self.kernel_size, -1)).permute(0, 3, 1, 2))
        if not (self.out_channels <= FEW or (self.out_channels >= MANY and _in_bf16(input))):
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


def _in_bf16(values: Tensor) -> bool:
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else values.dtype
    return dtype == torch.bfloat16


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
        at_pixels, at_weight, at_bias = ctx.needs_input_grad[:3]
        weights = _weights_wanted.get()
        return (
            _Spread.apply(gradient, weight, *ctx.settings, pixels.shape[2:]) if at_pixels else None,
            _at_weight(pixels, gradient, weight, *ctx.settings) if at_weight and weights else None,
            gradient.sum((0, 2, 3)) if at_bias and weights else None,
            None,
            None,
        )


class _Spread(torch.autograd.Function):
    """A transposed convolution, to pixels by a matrix product; its gradient at its input is a `_Gather`."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: Size, padding: Size, size: Size) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.settings = stride, padding
        if weight.shape[1] <= FEW:
            patches = weight.flatten(1).t() @ maps.flatten(2)
            return fold(patches, size, weight.shape[2:], padding=padding, stride=stride)
        sides = zip(size, maps.shape[2:], weight.shape[2:], stride, padding, strict=True)
        extra = [side - ((places - 1) * step - 2 * edge + kernel) for side, places, kernel, step, edge in sides]
        return conv_transpose2d(maps, weight, None, stride, padding, extra)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        maps, weight = ctx.saved_tensors
        at_maps, at_weight = ctx.needs_input_grad[:2]
        return (
            _Gather.apply(gradient, weight, None, *ctx.settings) if at_maps else None,
            _at_weight(gradient, maps, weight, *ctx.settings) if at_weight and _weights_wanted.get() else None,
            None,
            None,
            None,
        )


def _at_weight(pixels: Tensor, gradient: Tensor, weight: Tensor, stride: Size, padding: Size) -> Tensor:
    """Return the gradient at the weight of a convolution of pixels, differentiable where that is recorded."""
    if pixels.dtype == torch.bfloat16 and weight.shape[1] >= MANY and not torch.is_grad_enabled():
        return _product_of_patches(pixels, gradient, weight, stride, padding)
    mask = [False, True, False]
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, pixels, weight, None, stride, padding, (1, 1), False, (0, 0), 1, mask
    )[1]
    return found


def _product_of_patches(pixels: Tensor, gradient: Tensor, weight: Tensor, stride: Size, padding: Size) -> Tensor:
    """Return the gradient at the weight by products of gradients and patches, some of the batch at a time."""
    outputs, inputs, height, width = weight.shape
    places = gradient.shape[2:].numel()
    rows = max(1, LARGEST // (places * inputs * height * width))
    total: Tensor | None = None
    for some, their in zip(pixels.split(rows), gradient.split(rows), strict=True):
        framed = pad(some.permute(0, 2, 3, 1), (0, 0, padding[1], padding[1], padding[0], padding[0]))
        patches = framed.unfold(1, height, stride[0]).unfold(2, width, stride[1])[:, : their.shape[2]]
        patches = patches[:, :, : their.shape[3]].permute(0, 1, 2, 4, 5, 3).reshape(len(some) * places, -1)
        product = their.permute(0, 2, 3, 1).reshape(-1, outputs).t() @ patches
        total = product if total is None else total.float() + product
    assert total is not None
    found: Tensor = total.to(weight.dtype).unflatten(1, (height, width, inputs)).permute(0, 3, 1, 2)
    return found
