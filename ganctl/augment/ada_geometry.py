"""ADA's changes of place: one affine map of the plane and its warp (Karras et al. 2020, appendix B)."""

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ganctl.augment.ada_numbers import Numbers, constant

CHANGES = ("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac")

SYM6 = (
    *(0.015404109327027373, 0.0034907120842174702, -0.11799011114819057, -0.048311742585633),
    *(0.4910559419267466, 0.787641141030194, 0.3379294217276218, -0.07263752278646252),
    *(-0.021060292512300564, 0.04472490177066578, 0.0017677118642428036, -0.007800708325034148),
)
"""The lowpass filter of the symlet with six vanishing moments (Daubechies 1992)."""

REACH = len(SYM6) // 4
"""Pixels beside an image that its filter reads."""


@dataclass(frozen=True)
class Placement:
    """Where each pixel of the result comes from: o to linear · o + shift, in pixels from the centre, x first.

    `linear` is [n, 2, 2], `shift` [n, 2].
    """

    linear: Tensor
    shift: Tensor

    @classmethod
    def draw(cls, numbers: Numbers, height: int, width: int) -> "Placement | None":
        """Return the places of a batch, or None if none of the changes can happen."""
        if not numbers.on(*CHANGES):
            return None
        size = constant(numbers.uniforms, width, height)
        linear = torch.eye(2, dtype=size.dtype, device=size.device).expand(len(numbers.uniforms), 2, 2)
        shift = torch.zeros_like(linear[:, 0])
        if numbers.on("xflip"):
            flip = numbers.happens("xflip", 1 - 2 * numbers.whole(2), 1)
            linear = linear * torch.cat([flip, torch.ones_like(flip)], 1)[:, None]
        if numbers.on("rotate90"):
            linear = _turned(linear, numbers.happens("rotate90", numbers.whole(4), 0) * (torch.pi / 2))
        if numbers.on("xint"):
            moved = numbers.happens("xint", (2 * numbers.uniform(2) - 1) * 0.125, 0)
            shift = shift - _times(linear, (moved * size).round())
        if numbers.on("scale"):
            linear = linear / numbers.happens("scale", (numbers.normal() * 0.2).exp2(), 1)[:, None]
        if numbers.on("rotate"):
            linear = _turned(linear, numbers.happens("rotate", numbers.angle(), 0, twice=True))
        if numbers.on("aniso"):
            stretch = numbers.happens("aniso", (numbers.normal() * 0.2).exp2(), 1)
            linear = linear * torch.cat([1 / stretch, stretch], 1)[:, None]
        if numbers.on("rotate"):
            linear = _turned(linear, numbers.happens("rotate", numbers.angle(), 0, twice=True))
        if numbers.on("xfrac"):
            moved = numbers.happens("xfrac", numbers.normal(2) * 0.125, 0)
            shift = shift - _times(linear, moved * size)
        return cls(linear, shift)

    def warp(self, images: Tensor) -> Tensor:
        """Return images [n, channels, height, width] at these places, reflected at their borders.

        They are doubled in size, sampled bilinearly at twice the density, and halved again, by an orthogonal
        wavelet, so that pixels that stay in place do not change.
        """
        height, width = images.shape[2:]
        beside = self._margins(height, width)
        rows = _doubling(height, beside[0, 1], beside[1, 1])
        columns = _doubling(width, beside[0, 0], beside[1, 0])
        sampled = Sampling.apply(images, rows, columns, self._grid(height, width))
        like = (images.dtype, images.device)
        halved: Tensor = _halving(height, *like) @ sampled @ _halving(width, *like).T
        return halved

    def _margins(self, height: int, width: int) -> Tensor:
        """Return by how many pixels images are extended, before and after, [2, (x, y)]: all of a batch alike."""
        centre = constant(self.shift, (width - 1) / 2, (height - 1) / 2)
        corner = _times(self.linear.abs(), centre)
        farthest = torch.stack([corner - self.shift, corner + self.shift]).amax(1) + 2 * REACH - centre
        return farthest.clamp(min=torch.zeros_like(centre), max=2 * centre).ceil()

    def _grid(self, height: int, width: int) -> Tensor:
        """Return where the doubled images are sampled, in `grid_sample`'s coordinates, [n, rows, columns, 2]."""
        size = constant(self.shift, width, height)
        half = torch.full_like(size, 0.5)
        shift = 2 * (self.shift + _times(self.linear, half / 2)) - half
        rows, columns = (
            (torch.arange(2 * (side + 2 * REACH), device=size.device, dtype=size.dtype) + 0.5 - side - 2 * REACH)
            for side in (height, width)
        )
        first, second = (each[:, None, None] for each in self.linear.unbind(2))
        places = first * columns[:, None] + second * rows[:, None, None] + shift[:, None, None]
        return places / (3 * size - 2)


def _turned(linear: Tensor, angle: Tensor) -> Tensor:
    """Return linear · rotation, of angles [n, 1]; here and in `_times` elementwise, which TF32 leaves exact."""
    cos, sin = angle.cos(), angle.sin()
    first, second = linear.unbind(2)
    return torch.stack([first * cos + second * sin, second * cos - first * sin], 2)


def _times(linear: Tensor, vectors: Tensor) -> Tensor:
    return (linear * vectors[..., None, :]).sum(-1)


class Sampling(torch.autograd.Function):
    """Bilinear samples of doubled images at a grid, 0 outside: linear in images, so differentiable any times.

    An image is doubled by the matrices `rows` and `columns`, which makes it 36 times as large: few are at a time.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, rows: Tensor, columns: Tensor, grid: Tensor) -> Tensor:
        """Return samples [n, channels, …] of images [n, channels, height, width] at a grid [n, …, 2]."""
        ctx.save_for_backward(rows, columns, grid)
        channels, count = images.shape[1], _at_once(images, rows, columns)
        sampled = []
        for few, places in zip(images.split(count), grid.split(count), strict=True):
            wide = (few @ columns.T).permute(0, 2, 3, 1).flatten(2)  # channels last: samples lie closer together
            doubled = (rows @ wide).unflatten(2, (len(columns), channels)).permute(0, 3, 1, 2)
            sampled.append(torch.grid_sampler_2d(doubled, places, 0, 0, False))
        return torch.cat(sampled)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the gradient of the images."""
        return SamplingAdjoint.apply(gradients[0], *ctx.saved_tensors), None, None, None


class SamplingAdjoint(torch.autograd.Function):
    """The adjoint of `Sampling`: adds samples up where they came from."""

    @staticmethod
    def forward(ctx: Any, samples: Tensor, rows: Tensor, columns: Tensor, grid: Tensor) -> Tensor:
        """Return images."""
        ctx.save_for_backward(rows, columns, grid)
        spread = spread_natively if samples.device.type == "cpu" else spread_in_order
        count = _at_once(samples, rows, columns)
        images = []
        for few, places in zip(samples.split(count), grid.split(count), strict=True):
            images.append(rows.T @ (spread(few, places, len(rows), len(columns)) @ columns))
        return torch.cat(images)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the gradient of the samples."""
        return Sampling.apply(gradients[0], *ctx.saved_tensors), None, None, None


def spread_natively(samples: Tensor, grid: Tensor, height: int, width: int) -> Tensor:
    """Return images [n, channels, height, width] to whose four pixels around its place each sample is added."""
    shape = samples.new_zeros(()).expand(*samples.shape[:2], height, width)
    images: Tensor = torch.ops.aten.grid_sampler_2d_backward(samples, shape, grid, 0, 0, False, [True, False])[0]
    return images


def spread_in_order(samples: Tensor, grid: Tensor, height: int, width: int) -> Tensor:
    """Return the same; on CUDA, too, the sums are bit for bit the same each time."""
    x, y = ((grid[..., axis] + 1) * (side / 2) - 0.5 for axis, side in enumerate((width, height)))
    values = samples.permute(0, 2, 3, 1)
    images = samples.new_zeros(len(samples), height, width, samples.shape[1])
    number = torch.arange(len(samples), device=grid.device)[:, None, None].expand_as(x)
    for column, row in product((x.floor(), x.floor() + 1), (y.floor(), y.floor() + 1)):
        share = (1 - (column - x).abs()) * (1 - (row - y).abs())
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        at = (number, row.long().clamp(0, height - 1), column.long().clamp(0, width - 1))
        images.index_put_(at, values * (share * inside)[..., None], accumulate=True)
    return images.permute(0, 3, 1, 2)


def _at_once(images: Tensor, rows: Tensor, columns: Tensor) -> int:
    """Return how many images are doubled at once: what a CPU's cache holds, or a small part of a GPU's memory."""
    numbers = 2**18 if images.device.type == "cpu" else 2**26
    return max(1, numbers // (images.shape[1] * len(rows) * len(columns)))


def lowpass(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the filter's weights, whose sum is 1, as the official code rounds them."""
    weights = torch.tensor(SYM6, dtype=torch.float32)
    return (weights / weights.sum()).to(device, dtype)


def _doubling(size: int, before: Tensor, after: Tensor) -> Tensor:
    """Return the matrix [2 (3 size − 2), size] that extends an axis by reflection and doubles it.

    It is extended by size − 1 pixels on either side, all but `before` and `after` of which are 0.
    """
    places = torch.arange(1 - size, 2 * size - 1, device=before.device)
    inside = ((places >= -before) & (places <= size - 1 + after)).to(before.dtype)
    taps = inside.repeat_interleave(2)[:, None] * _doubling_taps(size, before.dtype, before.device) * inside
    left, middle, right = taps.split([size - 1, size, size - 1], 1)
    folded: Tensor = middle + pad(left.flip(1), (1, 0)) + pad(right.flip(1), (0, 1))
    return folded


@cache
def _doubling_taps(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    return 2 * _banded(3 * size - 2, 5, dtype, device)


@cache
def _halving(size: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the matrix [size, 2 (size + 2 · REACH)] that halves an axis and leaves the filter's reach out."""
    return _banded(size + 2 * REACH, -1, dtype, device).T[:size]


def _banded(size: int, offset: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the matrix [2 size, size] whose entry [k, i] is the filter's weight number k − 2 i + offset."""
    weights = lowpass(dtype, device)
    number = torch.arange(2 * size, device=device)[:, None] - 2 * torch.arange(size, device=device) + offset
    inside = (number >= 0) & (number < len(weights))
    return torch.where(inside, weights[number.clamp(0, len(weights) - 1)], 0)
