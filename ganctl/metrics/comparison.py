"""Metrics of generated samples, what the same metrics say of real samples alone, and means over seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganctl.errors import ConfigError
from ganctl.metrics.extractor import Extractor, exact_fp32
from ganctl.metrics.metric import Metric
from ganctl.metrics.samples import Samples, parted
from ganctl.metrics.statistics import Need, Statistics, collect

Numbers = dict[str, dict[str, float]]
"""The numbers of each metric, by its key and their names."""


@dataclass(frozen=True)
class Floor:
    """What metrics say of a part of the real samples beside the others, and how many these are.

    What a perfect generator would get: not 0, for every metric of finite samples has a bias or a spread.
    `left_out` says of metrics without such numbers why they have none.
    """

    numbers: Numbers
    count: int
    others: int
    left_out: tuple[str, ...]


class Comparison:
    """Metrics of generated samples beside all real ones, of which what is read is collected once.

    With a folder `cache` (auto = the system's) it is kept there, too. Seeds determine what metrics draw.
    """

    def __init__(
        self, metrics: Mapping[str, Metric], extractor: Extractor, real: Samples, cache: str | None = None
    ) -> None:
        self._metrics = metrics
        self._extractor = extractor
        self._real = real
        self._cache = cache
        self._collected: Statistics | None = None

    def check(self, generated: Samples) -> None:
        """Raise `ConfigError` or `DataError` for the first metric that has no meaning here; reads no sample."""
        for samples in (self._real, generated):
            self._extractor.require(samples.space)
        for metric in self._metrics.values():
            metric.check(self._real, generated, self._extractor)

    def numbers(self, generated: Samples, seed: int) -> Numbers:
        """Return every metric's numbers of generated samples, which are looked at once.

        Raises what `check` raises.
        """
        self.check(generated)
        ours = collect(generated, self._extractor, _needed(self._metrics))
        return compare(self._metrics, self._known(), ours, seed)

    def floor(self, count: int, seed: int) -> Floor:
        """Return the numbers of `count` real samples beside the others; of half of them if there are too few."""
        part, rest = parted(self._real, count)
        possible, left_out = {}, []
        for key, metric in self._metrics.items():
            try:
                metric.check(rest, part, self._extractor)
                possible[key] = metric
            except ConfigError as error:
                left_out.append(str(error))
        numbers: Numbers = {}
        if possible:
            needs = _needed(self._metrics) | _needed_of_real(self._metrics)
            first = collect(part, self._extractor, needs, self._cache)
            numbers = compare(possible, self._known().without_first(first, rest), first, seed)
        return Floor(numbers, part.count, rest.count, tuple(left_out))

    def _known(self) -> Statistics:
        if self._collected is None:
            needs = _needed_of_real(self._metrics)
            self._collected = collect(self._real, self._extractor, needs, self._cache)
        return self._collected


def compare(metrics: Mapping[str, Metric], real: Statistics, generated: Statistics, seed: int) -> Numbers:
    """Return every metric's numbers from collected statistics."""
    with exact_fp32():
        return {key: metric.compute(real, generated, seed) for key, metric in metrics.items()}


def _needed(metrics: Mapping[str, Metric]) -> frozenset[Need]:
    return frozenset(need for metric in metrics.values() for need in metric.needs)


def _needed_of_real(metrics: Mapping[str, Metric]) -> frozenset[Need]:
    needs = (metric.needs if metric.needs_real is None else metric.needs_real for metric in metrics.values())
    return frozenset(need for each in needs for need in each)


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
