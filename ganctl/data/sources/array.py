"""A user's own numbers, from numpy's files."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ganctl.data.decoding.depth import FLOAT, WHOLE, scaled, suggestion, together, told, values_in
from ganctl.data.source import SOURCES, Range
from ganctl.data.sources.array_file import NO_LABELS, ArrayFile, told_axes
from ganctl.data.sources.numpy_file import ArrayHeader, NumpyFile
from ganctl.data.store import MappedPixels, MappedStore, Store, read_only
from ganctl.errors import DataError
from ganctl.runtime.console import say
from ganctl.samples import IMAGES, POINTS, Axes, Kind, Scale

KINDS = {"b": "truth values", "u": "whole numbers", "i": "whole numbers", "f": "floats"}
BYTES = (0.0, 255.0)
BLOCK_VALUES = 1 << 22
CHANNELS_AT_MOST = 4
"""A last axis of so few is one of channels, and no image's width."""


@SOURCES.register
class Array(ArrayFile):
    """Points or images in a .npy or .npz file.

    [N] and [N, D] are points; [N, H, W], [N, H, W, C] and [N, C, H, W] with 1, 3 or 4 channels are images, with 4
    the last is alpha. Where both ends of a shape could be channels, the last axis is taken.
    """

    name: Literal["array"]
    range: Range | None

    @property
    def kind(self) -> Kind:
        """Points if the array has one or two axes, by its header, else images.

        Raises `DataError` if it cannot be used.
        """
        file = NumpyFile(self.path)
        return _kind(self._header(file, self._samples_name(file)))

    def load(self) -> Store:
        """Return the samples; a .npy of uint8 images with channels last stays a read-only map of the file."""
        file = NumpyFile(self.path)
        name = self._samples_name(file)
        header = self._header(file, name)
        labels, classes = self._labels(file, header.shape[0])
        reason = "" if self.labels else NO_LABELS
        axes = _letters(header.shape)
        if _kind(header) is IMAGES and (pixels := self._mapped(file, header)) is not None:
            sha256, scale = Store(pixels.tensor(), labels).fingerprint, Scale(axes=axes, range=BYTES)
            return MappedStore(pixels.tensor(), labels, classes, 0, reason, scale, pixels=pixels, sha256=sha256)
        self._require_memory(math.prod(header.shape) * _kind(header).stored.itemsize)
        values = file.read(name)
        if _kind(header) is IMAGES:
            rows, ends = self._rows(values)
            return Store(rows, labels, classes, 0, reason, Scale(axes=axes, range=ends))
        if self.range is not None:
            raise DataError(
                f"data.range: is for images, but {self.path} holds points, which stay unscaled; leave it"
            )
        with np.errstate(over="ignore"):  # what overflows is infinite, and refused
            points = np.array(values.reshape(len(values), -1), dtype=np.float32, order="C")
        self._require_finite(points)
        return Store(torch.from_numpy(points), labels, classes, 0, reason, Scale(axes=axes))

    def _header(self, file: NumpyFile, name: str | None) -> ArrayHeader:
        """Return what the samples are, refused if no GAN could learn them."""
        header = file.header(name)
        shape, dtype = header.shape, header.dtype
        why = ""
        if dtype.kind not in KINDS:
            why = "; samples must be floats, whole numbers or truth values"
        elif not 1 <= len(shape) <= 4:
            why = "; points are [N] or [N,D], images [N,H,W], [N,H,W,C] or [N,C,H,W]"
        elif 0 in shape:
            why = ", which is empty"
        elif len(shape) == 3 and shape[2] <= CHANNELS_AT_MOST:
            why = (
                f", which reads as images of {shape[1]}×{shape[2]} pixels and looks like one image with "
                f"{shape[2]} channels; give it an axis in front, array[None], for [N,H,W,C]"
            )
        elif len(shape) == 4 and _channels_axis(shape) is None:
            why = "; images have 1, 3 or 4 channels, as the last axis or the second"
        elif _kind(header) is POINTS and dtype == np.uint8:
            why = "; save images as [N,H,W] or [N,H,W,C], and points as floats"
        if why:
            raise DataError(
                f"data.path: {self.path} holds {name or 'an array'} of {dtype} {told_axes(shape)}{why}"
            )
        return header

    def _mapped(self, file: NumpyFile, header: ArrayHeader) -> MappedPixels | None:
        """Return images mapped from a .npy file, if they are bytes with channels last and need no change."""
        last = len(header.shape) == 3 or _channels_axis(header.shape) == 3
        if file.is_archive or header.dtype != np.uint8 or self.range is not None or not last:
            return None
        try:
            return MappedPixels(Path(os.path.expanduser(self.path)))
        except ValueError:
            return None  # in another order, or with another header

    def _rows(self, values: np.ndarray) -> tuple[Tensor, tuple[float, float]]:
        """Return uint8 [count, height, width, channels], and the values that were black and white."""
        laid = values[..., None] if values.ndim == 3 else values
        if _channels_axis(laid.shape) == 1:
            laid = laid.transpose(0, 2, 3, 1)
        if laid.dtype == np.uint8 and self.range is None:
            return read_only(np.ascontiguousarray(laid)), BYTES
        low, high = ends = self.range or self._guessed_range(laid)
        samples = np.empty(laid.shape, np.uint8)
        outside = start = 0
        for block in _blocks(laid):
            exact = block.astype(np.float64)
            self._require_finite(exact)
            samples[start : start + len(block)], beyond = scaled(exact, ends)
            outside += beyond
            start += len(block)
        if outside:
            say(f"data.range: {outside:,} of {laid.size:,} values lie outside [{low:g},{high:g}] and are cut off")
        return torch.from_numpy(samples), ends

    def _guessed_range(self, values: np.ndarray) -> tuple[float, float]:
        """Return black and white where type and values leave no doubt; a range taken for floats is reported."""
        if values.dtype.kind == "b":
            return 0.0, 1.0
        floats = values.dtype.kind == "f"
        found = together([values_in(block, FLOAT if floats else WHOLE) for block in _blocks(values)])
        self._require_finite([found.low, found.high])
        extent = f"{told(found.low)} to {told(found.high)}"
        for low, high in ((0.0, 1.0), (-1.0, 1.0)) if floats else (BYTES,):
            if low <= found.low and found.high <= high and (floats or found.high > 1):
                say(f"data.range: taken as [{told(low)},{told(high)}], as {self.path} lies in {extent}")
                return low, high
        raise DataError(
            f"data.range: which values are black and white? {self.path} holds {KINDS[values.dtype.kind]} from "
            f"{extent}; set data.range=[black,white], such as {suggestion(found)}"
        )


def _kind(header: ArrayHeader) -> Kind:
    return POINTS if len(header.shape) <= 2 else IMAGES


def _letters(shape: tuple[int, ...]) -> Axes:
    """Return the letters of the axes that samples of an accepted shape have."""
    if len(shape) == 4:
        return "NCHW" if _channels_axis(shape) == 1 else "NHWC"
    by_length: tuple[Axes, ...] = ("N", "ND", "NHW")
    return by_length[len(shape) - 1]


def _channels_axis(shape: tuple[int, ...]) -> int | None:
    """Return which axis of [N, …, …, …] holds the channels: the last if it could be, else the second."""
    return next((axis for axis in (3, 1) if shape[axis] in (1, 3, 4)), None)


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a few samples after the other, so that a mapped file need not fit into memory as floats."""
    count = max(1, BLOCK_VALUES // max(1, values[0].size))
    for start in range(0, len(values), count):
        yield values[start : start + count]
