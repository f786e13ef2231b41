"""Convolutions whose second gradients are convolutions of as many groups.

Torch's own second gradient at the weight runs group by group, and over whole images as kernels where there is one
group. Here a convolution, its gradient at the maps and that at the weight are each other's derivatives, so that
those of any order are one call each.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from ganctl.models.parts.convolutions import autocast, weights_wanted
from ganctl.models.parts.piecewise import biased


class GroupedConv2d(nn.Conv2d):
    """A convolution with an odd kernel that keeps the sides; its groups have `group_width` channels each, or all.

    The result differs from `torch.nn.Conv2d`'s by rounding only. On a CPU alone it is computed otherwise.
    """

    def __init__(
        self, inputs: int, outputs: int, kernel: int, group_width: int | None = None, *, bias: bool = True
    ) -> None:
        groups = 1 if group_width is None else inputs // group_width
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Return [batch, outputs, height, width] of [batch, inputs, height, width]."""
        if input.device.type != "cpu" or torch.compiler.is_exporting():
            return biased(super().forward(input), self.bias)
        bias = None if self.bias is None else autocast(self.bias)
        result: Tensor = _Convolution.apply(autocast(input), autocast(self.weight), bias, self.groups)
        return biased(result, self.bias)


class _Convolution(torch.autograd.Function):
    """A convolution that keeps the sides."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        ctx.save_for_backward(maps, weight)
        ctx.groups = groups
        return conv2d(maps, weight, bias, padding=weight.shape[2] // 2, groups=groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        maps, weight = ctx.saved_tensors
        at_maps, at_weight, at_bias, _ = ctx.needs_input_grad
        wanted = weights_wanted()
        return (
            _Convolution.apply(gradient, _turned(weight, ctx.groups), None, ctx.groups) if at_maps else None,
            _AtWeight.apply(maps, gradient, weight, ctx.groups) if at_weight and wanted else None,
            gradient.sum((0, 2, 3)) if at_bias and wanted else None,
            None,
        )


class _AtWeight(torch.autograd.Function):
    """The gradient of a convolution's weight, of maps and the gradient at the results."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, gradient: Tensor, weight: Tensor, groups: int) -> Tensor:
        ctx.save_for_backward(maps, gradient)
        ctx.groups = groups
        return _weight_gradient(maps, gradient, weight, groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = gradients
        maps, gradient = ctx.saved_tensors
        at_maps, at_gradient, *_ = ctx.needs_input_grad
        return (
            _Convolution.apply(gradient, _turned(weight, ctx.groups), None, ctx.groups) if at_maps else None,
            _Convolution.apply(maps, weight, None, ctx.groups) if at_gradient else None,
            None,
            None,
        )


def _weight_gradient(maps: Tensor, gradient: Tensor, weight: Tensor, groups: int) -> Tensor:
    edge = weight.shape[2] // 2
    found: Tensor = torch.ops.aten.convolution_backward(
        gradient, maps, weight, None, (1, 1), (edge, edge), (1, 1), False, (0, 0), groups, [False, True, False]
    )[1]
    return found


def _turned(weight: Tensor, groups: int) -> Tensor:
    """Return the weight of the convolution that is the gradient at the maps, inputs and outputs swapped."""
    turned: Tensor = weight.flip(2, 3).unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    return turned
