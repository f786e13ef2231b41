"""Real samples in memory."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ganctl.samples import SampleSpace

BLOCK = 64 << 20
"""Bytes that are hashed at once."""


@dataclass(frozen=True)
class Store:
    """A data set, decoded once.

    `samples` is uint8 [count, height, width, channels] for images, the layout that a batch in
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
