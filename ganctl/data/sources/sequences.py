"""Sequences of one length: a user's own, and two kinds whose every number is known."""

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ganctl.data.decoding.files import missing
from ganctl.data.source import SOURCES, Source
from ganctl.data.sources.array_file import NO_LABELS, ArrayFile, told_axes
from ganctl.data.sources.mixtures import GRID
from ganctl.data.sources.numpy_file import NumpyFile
from ganctl.data.store import Store
from ganctl.errors import DataError
from ganctl.runtime.bounded import read_bytes
from ganctl.runtime.console import say
from ganctl.runtime.randomness import generator
from ganctl.samples import SEQUENCES, Kind, Scale

SEPARATORS = ",;\t"
NUMBERS = "buif"
LONGEST = 65_536
"""Values of a sequence at most."""

FAR = 10.0
"""A mean above this, and a standard deviation above it or below 1 / this, are reported."""


@SOURCES.register
class SequencesFile(ArrayFile):
    """Sequences in a .csv file, one a line, or in a .npy or .npz file, [N, T] or [N, T, channels]."""

    name: Literal["sequences"]

    @property
    def kind(self) -> Kind:
        """Sequences."""
        return SEQUENCES

    def load(self) -> Store:
        """Return the sequences in the scale in which they came; one that is far from 1 is reported."""
        file = NumpyFile(self.path) if self.path.lower().endswith((".npy", ".npz")) else None
        values = self._table() if file is None else self._array(file)
        self._require_finite(values)
        labels, classes = self._labels(file, len(values))
        spread, mean = float(values.std(dtype=np.float64)), float(values.mean(dtype=np.float64))
        if not 1 / FAR <= spread <= FAR or abs(mean) > FAR:
            told = f"mean {mean:.3g} and standard deviation {spread:.3g}"
            say(f"data: the values have {told}; networks learn best near 0 and 1")
        scale = Scale(axes="NT" if values.ndim == 2 else "NTC")
        rows = torch.from_numpy(values.reshape(*values.shape[:2], -1))
        return Store(rows, labels, classes, 0, "" if self.labels else NO_LABELS, scale)

    def _array(self, file: NumpyFile) -> np.ndarray:
        name = self._samples_name(file)
        header = file.header(name)
        shape, why = header.shape, ""
        if header.dtype.kind not in NUMBERS:
            why = "; values must be floats, whole numbers or truth values"
        elif len(shape) not in (2, 3):
            why = "; sequences are [N,T], or [N,T,C] of several channels"
        elif 0 in shape or not 2 <= shape[1] <= LONGEST:
            why = f"; it takes one sequence or more, of 2 to {LONGEST:,} values"
        if why:
            array = f"{name or 'an array'} of {header.dtype} {told_axes(shape)}"
            raise DataError(f"data.path: {self.path} holds {array}{why}")
        self._require_memory(math.prod(shape) * SEQUENCES.stored.itemsize)
        with np.errstate(over="ignore"):  # what overflows is infinite, and refused
            return np.array(file.read(name), dtype=np.float32, order="C")

    def _table(self) -> np.ndarray:
        """Return the numbers of a text, [N, T]; a first line without a number is a header."""
        if self.samples is not None:
            raise DataError(f"data.samples: is for .npz files, but {self.path} is none; leave it null")
        place = Path(os.path.expanduser(self.path))
        if not place.exists():
            raise missing(self.path)
        try:
            lines = read_bytes(place).decode("utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(
                f"data.path: {self.path} cannot be read as text ({error}); take a .csv, .npy or .npz file"
            ) from error
        rows = list(self._rows(lines))
        if not rows:
            raise DataError(
                f"data.path: {self.path} holds no sequence; write one a line, as numbers between commas"
            )
        return np.stack(rows)

    def _rows(self, lines: list[str]) -> Iterator[np.ndarray]:
        """Yield a line's numbers, float32 [T], of every line that is not empty."""
        separator = next((mark for mark in SEPARATORS if lines and mark in lines[0]), None)
        length = None
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            cells = line.split(separator)
            try:
                values = np.array([float(cell) for cell in cells])
            except ValueError as error:
                if number == 1 and not any(map(_is_number, cells)):
                    continue
                raise DataError(
                    f"data.path: {self.path}, line {number}: {error}; each cell must be a number"
                ) from error
            length = len(values) if length is None else length
            if len(values) != length or not 2 <= length <= LONGEST:
                raise DataError(
                    f"data.path: {self.path}, line {number}: {len(values):,} values; each line must have as many, "
                    f"2 to {LONGEST:,}"
                )
            with np.errstate(over="ignore"):
                yield values.astype(np.float32)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


class KnownSequences(Source):
    """Sequences of one channel that are drawn from a known process."""

    length: Annotated[int, Field(ge=2, le=LONGEST)]
    num: Annotated[int, Field(ge=2, le=10_000_000)]
    seed: Annotated[int, Field(ge=0)]

    @property
    def kind(self) -> Kind:
        """Sequences."""
        return SEQUENCES

    def _noise(self, *shape: int) -> Tensor:
        """Return standard normal numbers, float64."""
        source = generator(torch.device("cpu"), self.name, self.seed)
        return torch.randn(*shape, generator=source, dtype=torch.float64)

    def _store(self, values: Tensor, labels: Tensor | None = None, classes: tuple[str, ...] = ()) -> Store:
        """Return values [num, length] as a store, rounded, so that each processor draws the same set."""
        rows = ((values * GRID).round() / GRID).float()[..., None]
        return Store(rows, labels, classes, 0, "" if classes else "all are of one kind", Scale(axes="NT"))


@SOURCES.register
class Ar1(KnownSequences):
    """x_t = φ x_{t−1} + σ ε_t with ε_t normal: the process of which each first-order statistic is known."""

    name: Literal["ar1"]
    phi: Annotated[float, Field(gt=-1, lt=1)]
    sigma: Annotated[float, Field(ge=1e-4, le=1e4)]

    def load(self) -> Store:
        """Return sequences that begin in the stationary distribution, N(0, σ² / (1 − φ²))."""
        noise = self._noise(self.length, self.num)
        values = [noise[0] / math.sqrt(1 - self.phi**2)]
        for innovation in noise[1:]:
            values.append(self.phi * values[-1] + innovation)
        return self._store(self.sigma * torch.stack(values, 1))


@SOURCES.register
class Sines(KnownSequences):
    """Sines of a few frequencies in equal shares, of random phase and with noise; classes are frequencies."""

    name: Literal["sines"]
    frequencies: Annotated[
        list[Annotated[float, Field(gt=0, le=LONGEST / 2)]], Field(min_length=1, max_length=1000)
    ]
    amplitude: Annotated[float, Field(ge=1e-4, le=1e4)]
    noise: Annotated[float, Field(ge=0, le=1e4)]

    def load(self) -> Store:
        """Return the frequencies' turn by turn, cycles a sequence; the noise is normal."""
        labels = torch.arange(self.num) % len(self.frequencies)
        cycles = torch.tensor(self.frequencies, dtype=torch.float64)[labels, None]
        drawn = self._noise(self.num, self.length + 2)
        phases = torch.atan2(drawn[:, :1], drawn[:, 1:2])  # of a normal pair, uniform
        time = torch.arange(self.length) / self.length
        values = self.amplitude * (2 * math.pi * cycles * time + phases).sin() + self.noise * drawn[:, 2:]
        return self._store(values, labels, tuple(f"{each:g}" for each in self.frequencies))
