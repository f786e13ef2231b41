"""Real samples as they rest in memory."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ganctl.errors import counted

BLOCK = 64 << 20
"""Bytes that are hashed at once."""


@dataclass(frozen=True)
class Store:
    """A whole data set, decoded once.

    `samples` is uint8 [count, height, width, channels] for pictures, the layout that a batch in
    channels-last memory is gathered from without a transposition, or float32 [count, dimensions] for
    points. `labels` is int64 [count], indices into `classes`. `skipped` counts files that did not decode.
    """

    samples: Tensor
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    skipped: int = 0

    def __post_init__(self) -> None:
        """Raise `ValueError` for labels beyond the classes: whoever counts by them would read past their end."""
        if self.labels is not None and self.classes and len(self.labels):
            low, high = int(self.labels.min()), int(self.labels.max())
            if low < 0 or high >= len(self.classes):
                raise ValueError(f"labels lie in {low} to {high}, but there are {len(self.classes)} classes")

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def is_pictures(self) -> bool:
        """Whether samples are pictures rather than points."""
        return self.samples.dtype == torch.uint8

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one sample: (channels, height, width) or (dimensions,)."""
        if not self.is_pictures:
            return tuple(self.samples.shape[1:])
        _, height, width, channels = self.samples.shape
        return (channels, height, width)

    @cached_property
    def fingerprint(self) -> str:
        """sha256 over samples and labels: two stores with the same one train alike."""
        digest = hashlib.sha256(repr((tuple(self.samples.shape), self.samples.dtype)).encode())
        for block in self._blocks():  # a signal is heeded between blocks
            digest.update(block)
        if self.labels is not None:
            labels: Any = self.labels.contiguous().numpy()
            digest.update(labels)
        return digest.hexdigest()

    def _blocks(self) -> Iterator[Any]:
        """Yield the samples' bytes, part by part."""
        for block in self.samples.contiguous().view(torch.uint8).view(-1).split(BLOCK):
            yield block.numpy()

    def describe(self) -> str:
        """Return the set's size and shape for people, such as "1,797 pictures of 32×32×1"."""
        if not self.is_pictures:
            return f"{counted(len(self), 'point')} of {counted(self.shape[0], 'dimension')}"
        channels, height, width = self.shape
        classes = f" in {len(self.classes)} classes" if self.classes else ""
        return f"{counted(len(self), 'picture')} of {height}×{width}×{channels}{classes}"
