"""Real samples that lie nearest to generated ones, and how near real ones lie to each other: is it copying?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ganctl.data.source import Source
from ganctl.data.store import Store
from ganctl.errors import ConfigError, counted
from ganctl.metrics import of_store, of_tensor
from ganctl.metrics.extractor import Extractor
from ganctl.metrics.manifolds import closest, copying, examined
from ganctl.metrics.statistics import collect
from ganctl.samples import IMAGES

SEED = 0
"""Which real samples are compared with other real ones: those that `ganctl evaluate seeds=0` takes."""


@dataclass(frozen=True)
class Vectors:
    """What distances are taken between: vectors of generated samples [n, width] and of real ones [m, width].

    A distance is that of the vectors times `unit`. `places` are those of the real ones in the data, and `order` is
    the one in which metrics read them, both int64 [m].
    """

    generated: Tensor
    real: Tensor
    places: Tensor
    order: Tensor
    unit: float = 1.0


@dataclass(frozen=True)
class Nearest:
    """The nearest real samples of generated ones, in rising distance, and how these distances compare.

    `distances`, float64, and `places` in the data, int64, are [n, k]; `compared` are the numbers of the metric
    `nearest_neighbour`, over `examined` real samples.
    """

    distances: Tensor
    places: Tensor
    compared: dict[str, float]
    examined: int


def pixel_vectors(rows: Tensor, store: Store) -> Vectors:
    """Return samples as stored, without a copy: pixels as shares of 255, points and sequences by their values."""
    order = of_store(store, None).places
    assert order is not None
    unit = 1 / 255 if store.space.kind is IMAGES else 1.0
    return Vectors(rows.flatten(1), store.samples.flatten(1), torch.arange(len(store)), order, unit)


def feature_vectors(rows: Tensor, store: Store, source: Source, extractor: Extractor, cache: str) -> Vectors:
    """Return what an extractor sees of samples as stored; what it sees of the data is found in the cache again.

    Raises `ConfigError` for samples that it does not take.
    """
    real, generated = of_store(store, source), of_tensor(rows)
    for samples in (real, generated):
        extractor.require(samples.space)
    assert real.places is not None
    known = collect(real, extractor, {"features"}, cache).features
    found = collect(generated, extractor, {"features"}).features
    return Vectors(found, known, real.places, torch.arange(real.count))


def nearest_real(vectors: Vectors, count: int, examples: int, device: torch.device) -> Nearest:
    """Return the `count` nearest real samples of each generated one, by distances in float64 on a device.

    They are compared with those of up to `examples` real samples to the nearest other one. Raises `ConfigError`
    for fewer real samples than `count` + 1.
    """
    if count >= (there := len(vectors.real)):
        raise ConfigError(
            f"k: {count:,} of {counted(there, 'real sample')} cannot be the nearest; take {there - 1:,}"
        )
    distances, numbers = closest(vectors.generated, vectors.real, device, count)
    drawn = vectors.order[examined(there, examples, SEED)]
    theirs, _ = closest(vectors.real[drawn], vectors.real, device, 1, drawn)
    compared = copying(distances[:, 0] * vectors.unit, theirs[:, 0] * vectors.unit)
    return Nearest(distances.cpu() * vectors.unit, vectors.places[numbers.cpu()], compared, len(drawn))
