"""How well a classifier does on real images that has seen generated ones alone."""

from typing import Literal

import torch

from ganctl.data.store import Store
from ganctl.errors import ConfigError, DataError
from ganctl.metrics.extractor import Extractor, exact_fp32
from ganctl.metrics.features.classifier import Lessons, share_right, single_thread
from ganctl.metrics.metric import METRICS, NO_CLASSES, Metric
from ganctl.metrics.sample_sets import Samples
from ganctl.metrics.statistics import Statistics


@METRICS.register
class Cas(Lessons, Metric):
    """The share of real images that a classifier puts into their class, taught by generated ones alone.

    The classification accuracy score (Ravuri and Vinyals 2019, section 3). The generated images are in memory, as
    bytes. The real-vs-real baseline is that of a classifier taught by as many real images.
    """

    value = "cas"
    better = "higher"
    fewest = (2, "to teach a classifier")
    name: Literal["cas"]

    def check(self, real: Samples, generated: Samples, extractor: Extractor) -> None:
        """Refuse points, data without classes, and samples that were asked for no class."""
        real.space.require_images(f"metric.{self.name}: teaches a classifier of images", "take another metric")
        if real.labels is None or len(real.classes) < 2:
            raise DataError(
                f"metric.{self.name}: needs data of two classes or more, and this has none; take another metric, "
                "or data with classes (a folder for each)"
            )
        if generated.labels is None:
            raise ConfigError(f"metric.{self.name}: teaches the class that was asked for, and {NO_CLASSES}")
        if len(generated.labels.unique()) < 2:
            raise ConfigError(
                f"metric.{self.name}: teaches classes all together, and these samples are of one; leave "
                "per_class=false"
            )
        super().check(real, generated, extractor)

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return `cas`, 0 to 1; the seed draws the first weights and the order of the images."""
        taught, judged = generated.samples, real.samples
        assert judged.labels is not None
        fakes = Store(taught.first(taught.count), taught.labels, judged.classes)
        network = self.network(fakes, seed)
        self.teach(network, fakes, torch.arange(taught.count), seed)
        with exact_fp32(), single_thread():
            return {"cas": share_right(network, judged.chunks(), judged.labels)}
