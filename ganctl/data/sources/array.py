"""A user's own numbers, from numpy's files."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ganctl.data.decoding.depth import FLOAT, WHOLE, scaled, suggestion, together, told, values_in
from ganctl.data.source import SOURCES, LabelledSource, Range
from ganctl.data.sources.numpy_file import ArrayHeader, NumpyFile
from ganctl.data.store import MappedPixels, MappedStore, Store, read_only
from ganctl.errors import DataError
from ganctl.runtime.console import say
from ganctl.runtime.memory import memory_limit
from ganctl.samples import IMAGES, POINTS, Axes, Kind, Scale

USUAL_NAMES = ("samples", "images", "data", "x", "arr_0")
"""Which array of an .npz file holds the samples where there are several and none is named, the first of these."""

KINDS = {"b": "truth values", "u": "whole numbers", "i": "whole numbers", "f": "floats"}
LABEL_KINDS = "buiUS"
BYTES = (0.0, 255.0)
BLOCK_VALUES = 1 << 22
CHANNELS_AT_MOST = 4
"""A last axis of so few is one of channels, and no image's width."""


@SOURCES.register
class Array(LabelledSource):
    """Points or images in a .npy or .npz file.

    [N] and [N, D] are points; [N, H, W], [N, H, W, C] and [N, C, H, W] with 1, 3 or 4 channels are images, with 4
    the last is alpha. Where both ends of a shape could be channels, the last axis is taken.
    """

    placement = frozenset({"path"})
    name: Literal["array"]
    path: str
    samples: str | None
    labels: str | None
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
        reason = "" if self.labels else "name an array of labels by data.labels=…"
        axes = _letters(header.shape)
        if _kind(header) is IMAGES and (pixels := self._mapped(file, header)) is not None:
            sha256, scale = Store(pixels.tensor(), labels).fingerprint, Scale(axes=axes, range=BYTES)
            return MappedStore(pixels.tensor(), labels, classes, 0, reason, scale, pixels=pixels, sha256=sha256)
        self._require_memory(header)
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

    def _samples_name(self, file: NumpyFile) -> str | None:
        names = file.names()
        if not file.is_archive:
            if self.samples is not None:
                raise DataError(f"data.samples: is for .npz files, but {self.path} is a .npy, of one array")
            return None
        if self.samples is not None:
            return self._named("samples", self.samples, names)
        candidates = [name for name in names if name != self.labels]
        chosen = candidates if len(candidates) == 1 else [name for name in USUAL_NAMES if name in candidates]
        if not chosen:
            there = f"holds {', '.join(candidates)}; choose by data.samples=…" if candidates else "holds no array"
            raise DataError(f"data.samples: {self.path} {there}")
        return chosen[0]

    def _named(self, key: str, name: str, names: list[str]) -> str:
        if name not in names:
            raise DataError(f"data.{key}: there is no '{name}' in {self.path}; there are {', '.join(names)}")
        return name

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
            raise DataError(f"data.path: {self.path} holds {name or 'an array'} of {dtype} {_axes(shape)}{why}")
        return header

    def _labels(self, file: NumpyFile, count: int) -> tuple[Tensor | None, tuple[str, ...]]:
        """Return int64 [count] and the names of the classes, which are the labels' sorted values."""
        if self.labels is None:
            return None, ()
        if file.is_archive:
            name: str | None = self._named("labels", self.labels, file.names())
            where = f"{name} in {self.path}"
        else:
            file, name, where = NumpyFile(self.labels, "data.labels"), None, self.labels
            if file.is_archive:
                raise DataError(f"data.labels: {where} is an .npz file; beside a .npy file, name another")
        header = file.header(name)
        array = f"data.labels: {where} is {header.dtype} {_axes(header.shape)}"
        if header.dtype.kind not in LABEL_KINDS:
            raise DataError(f"{array}; labels must be whole numbers or text")
        if header.shape not in ((count,), (count, 1)):
            raise DataError(f"{array}, but there are {count:,} samples, and each needs one label")
        values, indices = np.unique(file.read(name).reshape(count), return_inverse=True)
        names = values.astype(np.str_) if header.dtype.kind != "S" else np.char.decode(values, "utf-8", "replace")
        return torch.from_numpy(indices.astype(np.int64)), tuple(map(str, names))

    def _require_memory(self, header: ArrayHeader) -> None:
        """Refuse what would fill the memory there is with samples, before any is read."""
        wanted, limit = math.prod(header.shape) * _kind(header).stored.itemsize, memory_limit()
        if wanted > limit // 2:
            raise DataError(
                f"data.path: {self.path} makes {wanted:,} bytes of samples, more than half of the "
                f"{limit:,} of memory; images as uint8 [N,H,W,C] in a .npy file stay on the disk"
            )

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

    def _require_finite(self, values: Any) -> None:
        if not np.isfinite(values).all():
            raise DataError(
                f"data.path: {self.path} holds values that are not finite (NaN or infinite) in 32 bits"
            )


def _kind(header: ArrayHeader) -> Kind:
    return POINTS if len(header.shape) <= 2 else IMAGES


def _letters(shape: tuple[int, ...]) -> Axes:
    """Return the letters of the axes that samples of an accepted shape have."""
    if len(shape) == 4:
        return "NCHW" if _channels_axis(shape) == 1 else "NHWC"
    by_length: tuple[Axes, ...] = ("N", "ND", "NHW")
    return by_length[len(shape) - 1]


def _axes(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _channels_axis(shape: tuple[int, ...]) -> int | None:
    """Return which axis of [N, …, …, …] holds the channels: the last if it could be, else the second."""
    return next((axis for axis in (3, 1) if shape[axis] in (1, 3, 4)), None)


def _blocks(values: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a few samples after the other, so that a mapped file need not fit into memory as floats."""
    count = max(1, BLOCK_VALUES // max(1, values[0].size))
    for start in range(0, len(values), count):
        yield values[start : start + count]
