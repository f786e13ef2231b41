"""Sets of samples to measure, read in chunks, so that none has to fit into memory."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganctl.data.source import Source
from ganctl.data.store import Store
from ganctl.runtime.randomness import permutation
from ganctl.samples import SampleSpace

CHUNK = 256
"""Samples that are read and sent through an extractor at once."""


@dataclass(frozen=True)
class Samples:
    """Real or generated samples as stored.

    `read(start, stop)` returns a range of them, the same each time: uint8 [n, height, width, channels], or
    float32 [n, dimensions] or [n, length, channels]. `labels`, int64 [count], are the classes of real samples
    where they have any, and those that generated samples were asked for. Real ones have a `source`, a digest of
    their `content`, without which statistics are not cached, and their `places` in the store, int64 [count].
    """

    count: int
    space: SampleSpace
    read: Callable[[int, int], Tensor]
    source: Source | None = None
    labels: Tensor | None = None
    classes: tuple[str, ...] = ()
    content: str | None = None
    places: Tensor | None = None

    def chunks(self, size: int = CHUNK) -> Iterator[Tensor]:
        """Yield all samples in their order, at most `size` at once."""
        for start in range(0, self.count, size):
            yield self.read(start, min(start + size, self.count))

    def part(self, start: int, stop: int) -> "Samples":
        """Return a range of the samples, 0 ≤ start ≤ stop ≤ count, as a set of their own."""
        content = self.content and hashlib.sha256(f"{self.content} {start} {stop}".encode()).hexdigest()
        return replace(
            self,
            count=stop - start,
            read=lambda first, last: self.read(start + first, start + last),
            labels=None if self.labels is None else self.labels[start:stop],
            content=content,
            places=None if self.places is None else self.places[start:stop],
        )

    def first(self, count: int) -> Tensor:
        """Return the first `count` samples, or all if there are fewer, read in chunks."""
        return torch.cat([*self.part(0, min(count, self.count)).chunks()])


def of_store(
    store: Store,
    source: Source | None,
    count: int | None = None,
    seed: int = 0,
    label: int | Sequence[int] | None = None,
) -> Samples:
    """Return a store's samples, or `count` of them, without repetition and in an order that the seed draws.

    A store may hold its samples class by class; in this order the first few represent all. With a `label`, or
    several, only samples of these classes are returned.
    """
    chosen = permutation(len(store), "reference", seed)
    if label is not None:
        assert store.labels is not None
        chosen = chosen[torch.isin(store.labels[chosen], torch.as_tensor(label))]
    chosen = chosen[:count]
    rows = chosen.numpy().tobytes()
    return Samples(
        count=len(chosen),
        space=store.space,
        read=lambda start, stop: store.samples[chosen[start:stop]],
        source=source,
        labels=None if store.labels is None else store.labels[chosen],
        classes=store.classes,
        content=hashlib.sha256(store.fingerprint.encode() + rows).hexdigest(),
        places=chosen,
    )


def parted(samples: Samples, count: int) -> tuple[Samples, Samples]:
    """Return the first `count` samples, or half of all if that is less, and the others."""
    size = min(count, samples.count // 2)
    return samples.part(0, size), samples.part(size, samples.count)


def of_tensor(samples: Tensor) -> Samples:
    """Return samples that are in memory, as stored, such as generated ones."""
    return Samples(len(samples), SampleSpace.of_rows(samples), lambda start, stop: samples[start:stop])
