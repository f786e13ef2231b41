"""What every metric is, and the table of them."""

from typing import ClassVar, Literal

from ganctl.errors import ConfigError
from ganctl.metrics.extractor import KEY, Extractor
from ganctl.metrics.sample_sets import Samples
from ganctl.metrics.statistics import Need, Statistics
from ganctl.registry import Component, Family

NO_CLASSES = (
    "these samples have none of the data's classes; take another metric, or train with model.conditional=true "
    "(give images that are there a folder for each class)"
)
"""Why a metric has no meaning for samples without classes, and what to do."""


class Metric(Component):
    """One or a few numbers that compare generated samples with real ones."""

    needs: ClassVar[frozenset[Need]] = frozenset()
    """The statistics that are read of both sides."""

    needs_real: ClassVar[frozenset[Need] | None] = None
    """Those that are read of real samples, where they differ from `needs`."""

    value: ClassVar[str]
    """The one of the numbers by which checkpoints are compared."""

    better: ClassVar[Literal["lower", "higher"] | None] = "lower"
    """Where better models have that number; None if it is best where it equals that of real samples."""

    fewest: ClassVar[tuple[int, str]] = (1, "to compare")
    """The samples that each side must have, and for what."""

    def check(self, real: Samples, generated: Samples, extractor: Extractor) -> None:
        """Raise `ConfigError` or `DataError` if the number has no meaning here; no sample is read for it."""
        if "logits" in self.needs and extractor.classes == 0:
            raise ConfigError(
                f"metric.{self.name}: reads classes, which {KEY}={extractor.name} does not tell; take "
                f"{KEY}=classifier"
            )
        self.require_count(*self.fewest, real, generated)

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return the numbers by name; the seed determines every random draw."""
        raise NotImplementedError

    def require_count(self, least: int, why: str, *sides: Samples) -> None:
        """Raise `ConfigError` if one of the sides has fewer than `least` samples."""
        few = min(side.count for side in sides)
        if few < least:
            raise ConfigError(
                f"metric.{self.name}: {few:,} samples are too few {why}; it takes {least:,} or more on each side"
            )


METRICS: Family[Metric] = Family("metric")
