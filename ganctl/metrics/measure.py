"""Metrics of one set of samples, what the same metrics say of real samples alone, and means over seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganctl.data.source import Source
from ganctl.data.store import Store
from ganctl.metrics.extractor import Extractor
from ganctl.metrics.metric import Metric
from ganctl.metrics.samples import Samples, halves
from ganctl.metrics.statistics import Need, Statistics, collect

Numbers = dict[str, dict[str, float]]
"""The numbers of each metric, by its key and their names."""


def check(metrics: Mapping[str, Metric], extractor: Extractor, real: Samples, generated: Samples) -> None:
    """Raise `ConfigError` or `DataError` for the first metric that has no meaning here; reads no sample."""
    for samples in (real, generated):
        extractor.require(samples.shape)
    for metric in metrics.values():
        metric.check(real, generated, extractor)


def measure(
    metrics: Mapping[str, Metric],
    extractor: Extractor,
    real: Samples,
    generated: Samples,
    seed: int,
    cache: str | None = None,
) -> Numbers:
    """Return every metric's numbers; each side is looked at once, and real statistics are kept in `cache`.

    Raises what `check` raises.
    """
    check(metrics, extractor, real, generated)
    needs = needed(metrics)
    return compare(metrics, collect(real, extractor, needs, cache), collect(generated, extractor, needs), seed)


def needed(metrics: Mapping[str, Metric]) -> frozenset[Need]:
    """Return the statistics that any of the metrics reads."""
    return frozenset(need for metric in metrics.values() for need in metric.needs)


def compare(metrics: Mapping[str, Metric], real: Statistics, generated: Statistics, seed: int) -> Numbers:
    """Return every metric's numbers from collected statistics, as where real ones serve several times."""
    return {key: metric.compute(real, generated, seed) for key, metric in metrics.items()}


def floor(
    metrics: Mapping[str, Metric],
    extractor: Extractor,
    store: Store,
    source: Source,
    count: int,
    seed: int,
    cache: str | None = None,
) -> tuple[Numbers, int]:
    """Return the numbers of two disjoint halves of the real data, and how many samples each half had.

    Halves have `count` samples, or fewer where the data has no two of that size. What a perfect generator
    would get: not 0, for every metric of finite samples has a bias or a spread.

    Raises what `check` raises.
    """
    first, second = halves(store, source, count, seed)
    return measure(metrics, extractor, first, second, seed, cache), first.count


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and the half width of its confidence interval, None for a single value."""

    mean: float
    half_width: float | None
    values: tuple[float, ...]


def interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean of independent values and Student's t interval around it (Student 1908)."""
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return Interval(mean, None, tuple(values))
    from scipy.special import stdtrit

    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    quantile = float(stdtrit(count - 1, (1 + confidence) / 2))
    return Interval(mean, quantile * deviation / math.sqrt(count), tuple(values))
