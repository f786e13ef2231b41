"""Convolutions that are faster on a CPU than torch's; results differ by rounding only.

Three cases are slow in oneDNN and are computed otherwise here:

- A transposed convolution to an image of few channels, and the gradient of a convolution with respect to such an
  image: a matrix product and `fold`.
- The gradient with respect to the weight of a layer with many channels and few output positions: a forward
  convolution over the batch, with samples and channels swapped.
- A kernel as large as its input, which has one output position: a dense layer.

While a network is exported, the first two are torch's own: others know these, and no batch is asked for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, fold, linear

MAX_IMAGE_CHANNELS = 4
"""The most channels that an image has; feature maps have more."""

MAX_POSITIONS = 16
"""The most output positions at which the weight's gradient is a convolution over the batch."""

MIN_CHANNELS = 64
"""The fewest input channels at which it is."""

MAX_SAMPLES = 256
"""The largest batch at which it is in fp32; in bf16 it is faster at any."""

Size = tuple[int, int]

_weights_wanted = ContextVar("_weights_wanted", default=True)


@contextmanager
def gradients_at_samples_alone() -> Iterator[None]:
    """Skip the gradients of convolutions' weights inside the block: autograd does not tell which are needed."""
    token = _weights_wanted.set(False)
    try:
        yield
    finally:
        _weights_wanted.reset(token)


def weights_wanted() -> bool:
    """Return whether gradients of weights are asked for."""
    return _weights_wanted.get()


class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d`, faster on a CPU."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of [batch, inputs, height, width]."""
        if not _on_cpu(self, input):
            return super().forward(input)
        if input.shape[2:] == self.kernel_size and self.padding == (0, 0):
            outputs = linear(_channels_last(input), _channels_last(self.weight), self.bias)
            return outputs[:, :, None, None]
        from_image = self.in_channels <= MAX_IMAGE_CHANNELS and input.requires_grad
        if not (from_image or _few_positions(input, self.in_channels, self.stride)):
            return super().forward(input)
        bias = None if self.bias is None else autocast(self.bias)
        result: Tensor = _Gather.apply(autocast(input), autocast(self.weight), bias, self.stride, self.padding)
        return result


class ConvTranspose2d(nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d`, faster on a CPU."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return the transposed convolution of [batch, inputs, height, width]."""
        if not _on_cpu(self, input) or output_size is not None:
            return super().forward(input, output_size)
        if input.shape[2:] == (1, 1) and self.padding == self.output_padding == (0, 0):
            base = input.flatten(1) @ _channels_last(self.weight)
            return self._biased(base.unflatten(1, (*self.kernel_size, -1)).permute(0, 3, 1, 2))
        to_image = self.out_channels <= MAX_IMAGE_CHANNELS and not torch.compiler.is_exporting()
        if not (to_image or _few_positions(input, self.out_channels)):
            return super().forward(input)
        assert not isinstance(self.padding, str)
        sides = zip(input.shape[2:], self.kernel_size, self.stride, self.padding, self.output_padding, strict=True)
        height, width = (
            (side - 1) * stride - 2 * padding + kernel + extra for side, kernel, stride, padding, extra in sides
        )
        maps, weight = autocast(input), autocast(self.weight)
        return self._biased(_Spread.apply(maps, weight, self.stride, self.padding, (height, width)))

    def _biased(self, maps: Tensor) -> Tensor:
        return maps if self.bias is None else maps + self.bias.to(maps.dtype)[:, None, None]


def convolved(maps: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int) -> Tensor:
    """Return a convolution of [batch, inputs, height, width], faster on a CPU than torch's."""
    pair = stride, stride
    if maps.device.type != "cpu" or not _few_positions(maps, weight.shape[1], pair):
        return conv2d(maps, weight, bias, stride, padding)
    cast = None if bias is None else autocast(bias)
    result: Tensor = _Gather.apply(autocast(maps), autocast(weight), cast, pair, (padding, padding))
    return result


def _on_cpu(layer: nn.Conv2d | nn.ConvTranspose2d, samples: Tensor) -> bool:
    plain = layer.groups == 1 and layer.dilation == (1, 1) and layer.padding_mode == "zeros"
    return samples.device.type == "cpu" and plain and not isinstance(layer.padding, str)


def _channels_last(maps: Tensor) -> Tensor:
    """Return maps [count, channels, height, width] as rows [count, height × width × channels]."""
    return maps.permute(0, 2, 3, 1).flatten(1)


def autocast(values: Tensor) -> Tensor:
    """Return values in the type that autocast would give a convolution."""
    return values.to(torch.get_autocast_dtype("cpu")) if torch.is_autocast_enabled("cpu") else values


def _few_positions(maps: Tensor, channels: int, stride: tuple[int, ...] = (1, 1)) -> bool:
    """Return whether the weight's gradient is computed fastest as a convolution over the batch."""
    if torch.compiler.is_exporting():
        return False
    positions = -(-maps.shape[2] // stride[0]) * -(-maps.shape[3] // stride[1])
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else maps.dtype
    fits = len(maps) <= MAX_SAMPLES or dtype == torch.bfloat16
    return positions <= MAX_POSITIONS and channels >= MIN_CHANNELS and fits


class _Gather(torch.autograd.Function):
    """A convolution whose gradient with respect to its input is a `_Spread`; so are higher derivatives."""

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
        weights = weights_wanted()
        return (
            _Spread.apply(gradient, weight, *ctx.settings, pixels.shape[2:]) if at_pixels else None,
            _at_weight(pixels, gradient, weight, *ctx.settings) if at_weight and weights else None,
            gradient.sum((0, 2, 3)) if at_bias and weights else None,
            None,
            None,
        )


class _Spread(torch.autograd.Function):
    """A transposed convolution, to images by a matrix product; its gradient is a `_Gather`."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, stride: Size, padding: Size, size: Size) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.settings = stride, padding
        if weight.shape[1] <= MAX_IMAGE_CHANNELS:
            patches = weight.flatten(1).t() @ maps.flatten(2)
            return fold(patches, size, weight.shape[2:], padding=padding, stride=stride)
        sides = zip(size, maps.shape[2:], weight.shape[2:], stride, padding, strict=True)
        extra = [side - ((count - 1) * step - 2 * edge + kernel) for side, count, kernel, step, edge in sides]
        return conv_transpose2d(maps, weight, None, stride, padding, extra)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        maps, weight = ctx.saved_tensors
        at_maps, at_weight = ctx.needs_input_grad[:2]
        return (
            _Gather.apply(gradient, weight, None, *ctx.settings) if at_maps else None,
            _at_weight(gradient, maps, weight, *ctx.settings) if at_weight and weights_wanted() else None,
            None,
            None,
            None,
        )


def _at_weight(pixels: Tensor, gradient: Tensor, weight: Tensor, stride: Size, padding: Size) -> Tensor:
    """Return the gradient of the weight of a convolution of `pixels`, differentiable where that is recorded."""
    if _few_positions(gradient, weight.shape[1]) and not torch.is_grad_enabled():
        # A convolution of one input channel in all samples with the gradient of one output channel.
        channels, outputs = (values.transpose(0, 1).contiguous() for values in (pixels, gradient))
        height, width = weight.shape[2:]
        found = conv2d(channels, outputs, None, 1, padding, stride)[:, :, :height, :width]
        # Transposed once into the weight's layout, for otherwise autograd copies it twice, and slowly.
        rows = found.flatten(1).t().contiguous()
        return rows.view(-1, height, width, len(found)).permute(0, 3, 1, 2)
    mask = [False, True, False]
    at_weight: Tensor = torch.ops.aten.convolution_backward(
        gradient, pixels, weight, None, stride, padding, (1, 1), False, (0, 0), 1, mask
    )[1]
    return at_weight
