"""What every metric is, and the table of them."""

from typing import ClassVar, Literal

from ganctl.errors import ConfigError, DataError
from ganctl.metrics.extractor import KEY, Extractor
from ganctl.metrics.samples import Samples
from ganctl.metrics.statistics import Need, Statistics
from ganctl.registry import Component, Family


class Metric(Component):
    """A number, or a few, that say how generated samples compare with real ones."""

    needs: ClassVar[frozenset[Need]] = frozenset()
    """Which statistics of both sides are read."""

    needs_real: ClassVar[frozenset[Need] | None] = None
    """Which of real samples are read, where that is not what `needs` says."""

    value: ClassVar[str]
    """The one of the numbers by which checkpoints are compared."""

    better: ClassVar[Literal["lower", "higher"] | None] = "lower"
    """Where better models have that number; None if it is best where it is like real samples'."""

    def check(self, real: Samples, generated: Samples, extractor: Extractor) -> None:
        """Raise `ConfigError` or `DataError` if the number has no meaning here; no sample is read for it."""

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return the numbers by name; the seed determines what is drawn on the way."""
        raise NotImplementedError


METRICS: Family[Metric] = Family("metric")


def require_count(name: str, least: int, why: str, *sides: Samples) -> None:
    """Raise `ConfigError` if one of the sides has fewer than `least` samples."""
    few = min(side.count for side in sides)
    if few < least:
        raise ConfigError(
            f"metric.{name}: {few:,} samples are too few {why}; it takes {least:,} or more on each side"
        )


def require_classes(name: str, extractor: Extractor) -> None:
    """Raise `ConfigError` if the extractor tells no classes apart."""
    if extractor.classes == 0:
        raise ConfigError(
            f"metric.{name}: reads classes, which {KEY}={extractor.name} does not tell; take {KEY}=classifier"
        )


def require_labels(name: str, real: Samples) -> None:
    """Raise `DataError` if the real samples have no labels."""
    if real.labels is None:
        raise DataError(
            f"metric.{name}: needs labelled data, and this has no labels; take another metric, or data with "
            "classes (a folder for each)"
        )


def require_pictures(name: str, samples: Samples) -> None:
    """Raise `ConfigError` if samples are points."""
    samples.space.require_images(f"metric.{name}: compares pictures", "leave it out")
