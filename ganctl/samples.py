"""What a sample is: its kind, shape, value range and classes.

What differs between images, points and sequences is a method of their kind. Few places ask which of them samples
are. Stored samples are called rows: a tensor [count, …] of the kind's type `stored`, with as many axes after the
count as `axes` says; so has a sample in a step. `noun` is what one is called.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor

from ganctl.errors import ConfigError, counted
from ganctl.images.lines import lines
from ganctl.images.plot import plot
from ganctl.images.png import grid


class Images:
    """Images: uint8 rows [count, height, width, channels], in a step [count, channels, height, width].

    Rows are gathered into channels-last memory without a transposition.
    """

    noun = "image"
    axes = 3
    stored = torch.uint8
    bears_bf16 = True
    """Whether bf16, whose steps near 1 are 1/128, is precise enough to train with."""

    def shape(self, rows: Tensor) -> tuple[int, ...]:
        """Return the shape of one sample in a step."""
        _, height, width, channels = rows.shape
        return channels, height, width

    def normalise(self, rows: Tensor, value_range: tuple[float, float], dtype: torch.dtype) -> Tensor:
        """Return rows as samples of a step, [count, *shape]; `value_range` is what black and white become."""
        low, high = value_range
        return rows.permute(0, 3, 1, 2).to(dtype).mul_((high - low) / 255).add_(low)

    def store(self, samples: Tensor, value_range: tuple[float, float]) -> Tensor:
        """Return generated samples as rows, on the CPU; values beyond the range are cut off."""
        low, high = value_range
        scaled = (samples.detach().float() - low) * (255 / (high - low))
        return scaled.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu()

    def numbers(self, rows: Tensor) -> Tensor:
        """Return rows as vectors of float32 [count, values], in [0, 1]."""
        return rows.flatten(1).float() / 255

    def shown(self, num: int) -> int:
        """Return how many samples a drawing shows for `sample.num`."""
        return num

    def draw(
        self, fake: Tensor, real: Callable[[], Tensor] | None = None, columns: int | None = None
    ) -> np.ndarray:
        """Draw generated rows, and real ones where that helps, as one image, uint8 [height, width, 1 or 3].

        Images lie in a grid of `columns`, or as square as can be, those with alpha over a checkerboard.
        """
        return grid(fake.numpy(), columns)

    def describe(self, shape: tuple[int, ...]) -> str:
        """Return samples of a shape in words, such as "28×28 pixels in 1 channel"."""
        channels, height, width = shape
        return f"{height}×{width} pixels in {counted(channels, 'channel')}"

    def describe_set(self, count: int, shape: tuple[int, ...], classes: int) -> str:
        """Return the size of a data set in words, such as "1,797 images of 32×32×1 in 10 classes"."""
        channels, height, width = shape
        told = f" in {classes} classes" if classes else ""
        return f"{counted(count, 'image')} of {height}×{width}×{channels}{told}"


class Points:
    """Points: float32 rows [count, dimensions], in a step unscaled. Its methods are those of `Images`."""

    noun = "point"
    axes = 1
    stored = torch.float32
    bears_bf16 = False

    def shape(self, rows: Tensor) -> tuple[int, ...]:
        """Return (dimensions,)."""
        return tuple(rows.shape[1:])

    def normalise(self, rows: Tensor, value_range: tuple[float, float], dtype: torch.dtype) -> Tensor:
        """Return points as they are."""
        return rows.to(dtype)

    def store(self, samples: Tensor, value_range: tuple[float, float]) -> Tensor:
        """Return points as they are."""
        return samples.detach().float().cpu()

    def numbers(self, rows: Tensor) -> Tensor:
        """Return coordinates."""
        return rows.flatten(1).float()

    def shown(self, num: int) -> int:
        """Return 32 times as many: a point shows less than an image."""
        return num * 32

    def draw(
        self, fake: Tensor, real: Callable[[], Tensor] | None = None, columns: int | None = None
    ) -> np.ndarray:
        """Draw generated points over real ones: a histogram of numbers, else a scatter plot."""
        return plot((real() if real is not None else fake[:0]).numpy(), fake.numpy())

    def describe(self, shape: tuple[int, ...]) -> str:
        """Return the dimensions."""
        return f"points of {counted(shape[0], 'dimension')}"

    def describe_set(self, count: int, shape: tuple[int, ...], classes: int) -> str:
        """Return count and dimensions."""
        return f"{counted(count, 'point')} of {counted(shape[0], 'dimension')}"


class Sequences(Points):
    """Sequences: float32 rows [count, length, channels], in a step [count, channels, length], unscaled."""

    noun = "sequence"
    axes = 2

    def shape(self, rows: Tensor) -> tuple[int, ...]:
        """Return (channels, length)."""
        _, length, channels = rows.shape
        return channels, length

    def normalise(self, rows: Tensor, value_range: tuple[float, float], dtype: torch.dtype) -> Tensor:
        """Return values as they are, channels first."""
        return rows.transpose(1, 2).contiguous().to(dtype)

    def store(self, samples: Tensor, value_range: tuple[float, float]) -> Tensor:
        """Return values as they are, channels last."""
        return super().store(samples, value_range).transpose(1, 2)

    def shown(self, num: int) -> int:
        """Return `num`, but at most 16, which is what can be told apart."""
        return min(num, 16)

    def draw(
        self, fake: Tensor, real: Callable[[], Tensor] | None = None, columns: int | None = None
    ) -> np.ndarray:
        """Draw each generated sequence over a real one, in a grid of `columns`, or as square as can be."""
        return lines((real() if real is not None else fake[:0]).numpy(), fake.numpy(), columns)

    def describe(self, shape: tuple[int, ...]) -> str:
        """Return the length, and the channels if there are several."""
        channels, length = shape
        return f"sequences of {counted(length, 'value')}" + (f" in {channels} channels" if channels > 1 else "")

    def describe_set(self, count: int, shape: tuple[int, ...], classes: int) -> str:
        """Return count, length, channels and classes."""
        told = f" in {classes} classes" if classes else ""
        return f"{count:,} {self.describe(shape)}{told}"


Axes = Literal["N", "ND", "NT", "NTC", "NHW", "NHWC", "NCHW"]
"""Of an array: number of samples, dimensions, time, height, width, channels."""


class Scale(BaseModel):
    """How samples came as an array: its axes, and the values that were black and white, None for no images."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    axes: Axes
    range: tuple[float, float] | None = None

    def restore(self, samples: Tensor, value_range: tuple[float, float]) -> Tensor:
        """Return generated samples [count, *shape] with these axes and in this range, on the CPU.

        `value_range` is black and white of `samples`, whose type is kept; values beyond it are cut off.
        """
        values = samples.detach().cpu()
        if self.range is not None:
            (low, high), (black, white) = value_range, self.range
            shares = ((values.double() - low) / (high - low)).clamp(0, 1)
            values = (black + shares * (white - black)).to(samples.dtype)
        if self.axes in ("N", "NT", "NHW"):
            return values[:, 0]
        return values.movedim(1, -1) if self.axes in ("NTC", "NHWC") else values


Kind = Images | Points
IMAGES, POINTS, SEQUENCES = Images(), Points(), Sequences()
KINDS: tuple[Kind, ...] = (IMAGES, POINTS, SEQUENCES)


@dataclass(frozen=True)
class SampleSpace:
    """What samples are: what a model, a term or a metric must know of them before it sees one.

    `shape` is one sample's in a step: (channels, height, width), (channels, length) or (dimensions,);
    `value_range` is black and white of images in a step; `classes` are the names of labels, or none.
    """

    kind: Kind
    shape: tuple[int, ...]
    value_range: tuple[float, float] = (-1.0, 1.0)
    classes: tuple[str, ...] = ()

    @classmethod
    def of_rows(cls, rows: Tensor, classes: tuple[str, ...] = ()) -> "SampleSpace":
        """Return the space of stored samples, whose type and axes determine the kind."""
        found = (kind for kind in KINDS if (kind.stored, kind.axes) == (rows.dtype, rows.dim() - 1))
        kind = next(found, POINTS)
        return cls(kind, kind.shape(rows), classes=classes)

    @classmethod
    def of_shape(
        cls,
        shape: tuple[int, ...],
        value_range: tuple[float, float] = (-1.0, 1.0),
        classes: tuple[str, ...] = (),
    ) -> "SampleSpace":
        """Return the space of samples of which only shape and classes are known, as in a checkpoint's header.

        Raises `ConfigError` for a shape that no kind has.
        """
        for kind in KINDS:
            if kind.axes == len(shape):
                return cls(kind, shape, value_range, classes)
        raise ConfigError(f"data: no sample has the shape {list(shape)}")

    def describe(self) -> str:
        """Return kind and shape in words, such as "points of 2 dimensions"."""
        return self.kind.describe(self.shape)

    def require_images(self, who: str, advice: str) -> None:
        """Raise `ConfigError` where samples are no images: `who` needs them, `advice` is what to do."""
        self._require(IMAGES, who, advice)

    def require_sequences(self, who: str, advice: str) -> None:
        """Raise `ConfigError` where samples are no sequences."""
        self._require(SEQUENCES, who, advice)

    def _require(self, kind: Kind, who: str, advice: str) -> None:
        if self.kind is not kind:
            raise ConfigError(f"{who}, but the data is {self.describe()}; {advice}")
