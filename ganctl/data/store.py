"""Real samples, in memory or in a file of which only what a batch needs is read."""

import hashlib
import mmap
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganctl.runtime.bounded import opened
from ganctl.runtime.memory import memory_limit
from ganctl.samples import SampleSpace, Scale

BLOCK = 64 << 20
"""Bytes that are hashed at once."""

RESIDENT_BYTES = 256 << 20
"""Of the file's pages, about so many bytes are left in the process before they are given back."""

FAULT_BYTES = 64 << 10
"""What Linux maps around a page that is touched."""


@dataclass(frozen=True)
class Store:
    """A data set, decoded once.

    `samples` is uint8 [count, height, width, channels] for images, the layout that a batch in
    channels-last memory is gathered from without a transposition, float32 [count, dimensions] for points, or
    float32 [count, length, channels] for sequences. `labels` is int64 [count], indices into `classes`. `skipped`
    counts files that did not decode. `without_labels` says why there are no labels, as the end of a sentence.
    `scale` is how samples came that were an array.
    """

    samples: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    skipped: int = 0
    without_labels: str = ""
    scale: Scale | None = None

    def __post_init__(self) -> None:
        """Raise `ValueError` for labels beyond the classes: whoever counts by them would read past their end."""
        if self.labels is not None and self.classes and len(self.labels):
            low, high = int(self.labels.min()), int(self.labels.max())
            if low < 0 or high >= len(self.classes):
                raise ValueError(f"labels lie in {low} to {high}, but there are {len(self.classes)} classes")

    def __len__(self) -> int:
        return len(self.samples)

    @cached_property
    def space(self) -> SampleSpace:
        """What one sample is; the model decides on the value range of images."""
        return SampleSpace.of_rows(self.samples, self.classes)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over samples and labels: two stores with the same one train alike."""
        blocks = self.samples.contiguous().view(torch.uint8).view(-1).split(BLOCK)
        return self.digest(block.numpy() for block in blocks)

    def digest(self, blocks: Iterable[Any]) -> str:
        """Return the fingerprint of a store with these labels, and samples whose bytes are read block by block."""
        digest = hashlib.sha256(repr((tuple(self.samples.shape), self.samples.dtype)).encode())
        for block in blocks:  # signals are handled between blocks
            digest.update(block)
        if self.labels is not None:
            labels: Any = self.labels.contiguous().numpy()
            digest.update(labels)
        return digest.hexdigest()

    def describe(self) -> str:
        """Return the set's size and shape for people, such as "1,797 images of 32×32×1"."""
        return self.space.kind.describe_set(len(self), self.space.shape, len(self.classes))


def read_only(array: np.ndarray) -> Tensor:
    """Return an array as a tensor on the same memory, to which nothing may be written."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable", UserWarning)
        return torch.from_numpy(array)


class MappedPixels:
    """A .npy file of uint8 [count, height, width, channels], or without channels, mapped read-only.

    Raises `ValueError` if it is no such file or incomplete, `OSError` if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with opened(path) as file:
            try:
                np.lib.format.read_magic(file)
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            except OSError:
                raise
            except Exception as error:  # a damaged header is parsed as Python's literals, with all their errors
                raise ValueError(f"{path.name} has no header of a .npy file ({error})") from error
            offset = file.tell()
            length = offset + int(np.prod(shape, dtype=np.int64))
            found = os.fstat(file.fileno()).st_size
            if fortran or dtype != np.uint8 or len(shape) not in (3, 4) or found != length:
                raise ValueError(f"{path.name} has {found:,} bytes, not {length:,} of uint8")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        pixels = np.frombuffer(self._map, np.uint8, offset=offset)
        self.array: np.ndarray = pixels.reshape(shape if len(shape) == 4 else (*shape, 1))
        self._offset = offset
        self._row = int(np.prod(shape[1:], dtype=np.int64))
        self._resident = 0
        self._larger_than_memory = length > memory_limit() // 2
        if self._larger_than_memory:
            self._advise("MADV_RANDOM", 0, length)

    def gather(self, indices: np.ndarray, out: np.ndarray) -> None:
        """Copy rows, int64 [batch], to `out`, [batch, height, width, channels]. Torch takes no part in it."""
        if self._larger_than_memory:
            for index in indices:  # reads all rows at once, where touching them waits for one after the other
                start = (self._offset + int(index) * self._row) // mmap.PAGESIZE * mmap.PAGESIZE
                self._advise("MADV_WILLNEED", start, self._offset + (int(index) + 1) * self._row - start)
        np.take(self.array, indices, axis=0, out=out, mode="clip")  # "raise" would make a copy in between
        self._resident += len(indices) * max(self._row, FAULT_BYTES)
        if self._resident > RESIDENT_BYTES < len(self._map):
            self._advise("MADV_DONTNEED", 0, len(self._map))  # they stay in the system's cache while it has room
            self._resident = 0

    def blocks(self) -> Iterator[bytes]:
        """Yield the samples' bytes as they are in the file now, part by part, read past the map."""
        with opened(self._path) as file:
            file.seek(self._offset)
            while block := file.read(BLOCK):
                yield block

    def tensor(self) -> Tensor:
        """Return the samples as a tensor on the same pages, which must not be written to."""
        return read_only(self.array)

    def _advise(self, name: str, start: int, length: int) -> None:
        if hasattr(mmap, name):
            self._map.madvise(getattr(mmap, name), start, length)


@dataclass(frozen=True, kw_only=True)
class MappedStore(Store):
    """A store whose samples stay in a file; `sha256` is the fingerprint that was taken when it was written."""

    pixels: MappedPixels
    sha256: str

    @cached_property
    def fingerprint(self) -> str:
        """That of a store with the same samples and labels in memory."""
        return self.sha256

    def intact(self) -> bool:
        """Return whether samples and labels are those that were written.

        Reads the whole file, past the map, which would read page by page.
        """
        return self.digest(self.pixels.blocks()) == self.sha256


class Prefetch:
    """Gathers rows of a mapped store, ahead of time and in one thread of its own where numbers follow each other.

    That thread touches NumPy alone: an operation of torch in it would start a second team of OpenMP threads, which
    takes the processor from the step's. `pinned` puts rows into memory from which CUDA copies without waiting.
    """

    def __init__(self, store: MappedStore, pinned: bool) -> None:
        self._pixels = store.pixels
        self._pinned = pinned
        self._thread = ThreadPoolExecutor(1, "ganctl-prefetch")
        self._ahead: dict[str, tuple[int, Future[None], Tensor]] = {}

    def rows(self, stream: str, number: int, indices: Callable[[str, int], Tensor]) -> Tensor:
        """Return batch `number` of a stream, uint8 [batch, height, width, channels], and start on the next.

        `indices(stream, number)` says which rows a batch holds.
        """
        ready, future, batch = self._ahead.pop(stream, (None, None, None))
        if ready != number or future is None or batch is None:
            future, batch = self._start(indices(stream, number))
        self._ahead[stream] = (number + 1, *self._start(indices(stream, number + 1)))
        future.result()
        return batch

    def _start(self, chosen: Tensor) -> tuple[Future[None], Tensor]:
        shape = (len(chosen), *self._pixels.array.shape[1:])
        batch = torch.empty(shape, dtype=torch.uint8, pin_memory=self._pinned)
        return self._thread.submit(self._pixels.gather, chosen.numpy(), batch.numpy()), batch
