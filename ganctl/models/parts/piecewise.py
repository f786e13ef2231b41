"""Layers of which a discriminator is affine in pieces, so that its gradient tells its logits.

Where no leaky ReLU changes its slope, D(x) = ⟨∇D, x⟩ + Σ ⟨∂D/∂a, b⟩: the sum is over each bias b and the maps a
that it was added to (Euler's theorem on homogeneous functions). So the gradient that a penalty differentiates
again tells the logits, too, and one backward through it serves both. A layer then takes four passes in place of
six: forward, gradient at the sample, its tangent, and one gradient of the weight.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

_intercepts: ContextVar[list[Tensor] | None] = ContextVar("_intercepts", default=None)


@contextmanager
def intercepts() -> Iterator[list[Tensor]]:
    """Collect ⟨∂D/∂a, b⟩ of each bias, [batch], when a forward of the block is differentiated in the block."""
    found: list[Tensor] = []
    token = _intercepts.set(found)
    try:
        yield found
    finally:
        _intercepts.reset(token)


def biased(maps: Tensor, bias: Tensor | None) -> Tensor:
    """Return maps [batch, channels, …] to which a bias [channels] has been added, so that `intercepts` sees it."""
    found = _intercepts.get()
    if bias is not None and found is not None and maps.requires_grad:
        maps.register_hook(lambda gradient: _collect(found, gradient, bias))
    return maps


def _collect(found: list[Tensor], gradient: Tensor, bias: Tensor) -> None:
    if _intercepts.get() is found:
        found.append(_Intercept.apply(gradient, bias))


class _Intercept(torch.autograd.Function):
    """⟨gradient, bias⟩ of each sample, [batch], with the bias along the second dimension of the gradient."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, bias: Tensor) -> Tensor:
        sums = gradient.sum(tuple(range(2, gradient.dim()))) if gradient.dim() > 2 else gradient
        sums = sums.to(bias.dtype)
        ctx.save_for_backward(sums, bias)
        ctx.like = gradient.shape, gradient.dtype
        return sums @ bias

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (each,) = gradients
        sums, bias = ctx.saved_tensors
        shape, dtype = ctx.like
        added = (each[:, None] * bias).to(dtype)
        return added[(..., *(None for _ in shape[2:]))].expand(shape), each @ sums


def leaky_relu(maps: Tensor, slope: float) -> Tensor:
    """Return maps, changed in place, where negative times `slope`; the second derivative is none, not zeros."""
    if torch.compiler.is_exporting():
        return torch.nn.functional.leaky_relu(maps, slope)
    result: Tensor = _LeakyReLU.apply(maps, slope)
    return result


class _LeakyReLU(torch.autograd.Function):
    """A leaky ReLU in place."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, slope: float) -> Tensor:
        torch.nn.functional.leaky_relu_(maps, slope)
        ctx.mark_dirty(maps)
        ctx.save_for_backward(maps)
        ctx.slope = slope
        return maps

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (maps,) = ctx.saved_tensors
        return _Sloped.apply(gradients[0], maps.detach(), ctx.slope), None


class _Sloped(torch.autograd.Function):
    """The gradient times the slope at each place; linear in the gradient."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, maps: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(maps)
        ctx.slope = slope
        result: Tensor = torch.ops.aten.leaky_relu_backward(gradient, maps, slope, True)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (maps,) = ctx.saved_tensors
        return _Sloped.apply(gradients[0], maps, ctx.slope), None, None
