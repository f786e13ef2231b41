"""Metrics of generated samples, and their real-vs-real baseline."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from ganctl.errors import ConfigError
from ganctl.metrics.extractor import Extractor, exact_fp32
from ganctl.metrics.metric import Metric
from ganctl.metrics.sample_sets import Samples, parted
from ganctl.metrics.statistics import Need, Statistics, collect

Numbers = dict[str, dict[str, float]]
"""The numbers of each metric, by its key and their names."""


@dataclass(frozen=True)
class Baseline:
    """The numbers of `count` real samples compared with the `others`: what a perfect generator would get.

    Not 0, for every metric of finite samples has a bias or a spread. `left_out`: why metrics have no baseline.
    """

    numbers: Numbers
    count: int
    others: int
    left_out: tuple[str, ...]


class Comparison:
    """Metrics of generated samples compared with all real ones, whose statistics are collected once and cached."""

    def __init__(
        self, metrics: Mapping[str, Metric], extractor: Extractor, real: Samples, cache: str | None = None
    ) -> None:
        self._metrics = metrics
        self._extractor = extractor
        self._real = real
        self._cache = cache

    def check(self, generated: Samples) -> None:
        """Raise `ConfigError` or `DataError` for the first metric that has no meaning here; read no sample."""
        for samples in (self._real, generated):
            self._extractor.require(samples.space)
        for metric in self._metrics.values():
            metric.check(self._real, generated, self._extractor)

    def numbers(self, generated: Samples, seed: int) -> Numbers:
        """Return every metric's numbers, drawn by the seed; raise what `check` raises."""
        self.check(generated)
        ours = collect(generated, self._extractor, self._needed())
        return _compare(self._metrics, self._known, ours, seed)

    def baseline(self, count: int, seed: int) -> Baseline:
        """Return the numbers of `count` real samples, at most half of them, compared with the others."""
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
            needs = self._needed() | self._needed(real=True)
            first = collect(part, self._extractor, needs, self._cache)
            numbers = _compare(possible, self._known.without_first(first, rest), first, seed)
        return Baseline(numbers, part.count, rest.count, tuple(left_out))

    @cached_property
    def _known(self) -> Statistics:
        return collect(self._real, self._extractor, self._needed(real=True), self._cache)

    def _needed(self, *, real: bool = False) -> frozenset[Need]:
        metrics = self._metrics.values()
        own = (metric.needs_real if real else None for metric in metrics)
        needs = (metric.needs if each is None else each for metric, each in zip(metrics, own, strict=True))
        return frozenset(need for each in needs for need in each)


def _compare(metrics: Mapping[str, Metric], real: Statistics, generated: Statistics, seed: int) -> Numbers:
    with exact_fp32():
        return {key: metric.compute(real, generated, seed) for key, metric in metrics.items()}
