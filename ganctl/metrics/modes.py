"""Modes that a generator hits or misses: classes of labelled data, asked for or not, or Gaussians of a mixture."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from ganctl.data.sources.mixtures import Mixture
from ganctl.errors import ConfigError, DataError
from ganctl.metrics.extractor import KEY, Extractor
from ganctl.metrics.metric import METRICS, NO_CLASSES, Metric
from ganctl.metrics.sample_sets import CHUNK, Samples
from ganctl.metrics.statistics import Statistics


def divergence(shares: Tensor, reference: Tensor) -> float:
    """Return Σ p·log(p / q) in nats of two distributions, float64 [modes]; q > 0 where p > 0."""
    present = shares > 0
    return float((shares[present] * (shares[present] / reference[present]).log()).sum())


class ClassMetric(Metric):
    """A metric that compares what a classifier says with the data's classes."""

    needs = frozenset({"logits"})
    needs_real = frozenset()

    def check(self, real: Samples, generated: Samples, extractor: Extractor) -> None:
        """Refuse data without labels, and extractors without classes or with other classes than the data's."""
        if real.labels is None:
            raise DataError(
                f"metric.{self.name}: needs labelled data, and this has no labels; take another metric, or data "
                "with classes (a folder for each)"
            )
        super().check(real, generated, extractor)
        if extractor.classes != len(real.classes):
            raise ConfigError(
                f"metric.{self.name}: {extractor.name} tells {extractor.classes:,} classes, and the data has "
                f"{len(real.classes):,} others; take {KEY}=classifier"
            )


@METRICS.register
class ClassAgreement(ClassMetric):
    """The share of samples that a classifier puts into the class that they were asked for.

    Also called classification accuracy of conditional generators (Odena et al. 2017, section 4.3).
    """

    value = "class_agreement"
    better = "higher"
    name: Literal["class_agreement"]

    def check(self, real: Samples, generated: Samples, extractor: Extractor) -> None:
        """Refuse samples that were asked for no class, and what every metric of classes refuses."""
        super().check(real, generated, extractor)
        if generated.labels is None:
            raise ConfigError(f"metric.{self.name}: compares with the class that was asked for, and {NO_CLASSES}")

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return `class_agreement`, 0 to 1."""
        labels = generated.samples.labels
        assert labels is not None
        return {"class_agreement": float((generated.logits.argmax(1) == labels).double().mean())}


@METRICS.register
class ModeCount(ClassMetric):
    """Classes that the classifier sees among generated samples, and how evenly (Srivastava et al. 2017).

    In stacked images a class is the digits of all channels: 1,000 modes of stacked MNIST.
    """

    value = "modes"
    better = "higher"
    name: Literal["mode_count"]
    least: Annotated[int, Field(ge=1)]
    reference: Literal["data", "uniform"]

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return `modes` hit by `least` samples or more, of `modes_real`, and `kl`, of generated from real shares.

        A class without a real sample counts as half a sample in the reference.
        """
        classes = generated.extractor.classes
        counts = torch.bincount(generated.logits.argmax(1), minlength=classes).double()
        labels = real.samples.labels
        assert labels is not None
        real_counts = torch.bincount(labels, minlength=classes).double()
        reference = real_counts.clamp(min=0.5) if self.reference == "data" else torch.ones_like(real_counts)
        return {
            "modes": float((counts >= self.least).sum()),
            "modes_real": float((real_counts > 0).sum()),
            "kl": divergence(counts / counts.sum(), reference / reference.sum()),
        }


@METRICS.register
class MixtureModes(Metric):
    """Gaussians of a ring or grid that are hit, and how well (Srivastava et al. 2017; Lin et al. 2018)."""

    value = "modes"
    better = "higher"
    name: Literal["mixture_modes"]
    within: Annotated[float, Field(gt=0)]
    least: Annotated[int, Field(ge=1)]

    def check(self, real: Samples, generated: Samples, extractor: Extractor) -> None:
        """Refuse data that is no mixture of Gaussians."""
        if not isinstance(real.source, Mixture):
            raise DataError(
                "metric.mixture_modes: is for data=ring, grid and gaussian1d; take metric=[mode_count] or [fid]"
            )

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return the `modes` hit, of `modes_real`, the share of `high_quality` samples, and `reverse_kl`.

        A sample belongs to its nearest mode, and is of high quality if no more than `within` standard
        deviations away; a mode is hit by `least` such samples. `reverse_kl` compares the modes' shares of all
        samples with equal ones, in nats.
        """
        source = real.samples.source
        assert isinstance(source, Mixture)
        centres = source.centres()
        modes = len(centres)
        all_counts, good_counts = torch.zeros(2, modes, dtype=torch.float64)
        for points in generated.samples.chunks(CHUNK):
            distance, nearest = torch.cdist(
                points.double(), centres, compute_mode="donot_use_mm_for_euclid_dist"
            ).min(1)
            all_counts += torch.bincount(nearest, minlength=modes)
            good_counts += torch.bincount(nearest[distance <= self.within * source.std], minlength=modes)
        uniform = torch.full_like(all_counts, 1 / modes)
        count = generated.samples.count
        return {
            "modes": float((good_counts >= self.least).sum()),
            "modes_real": float(modes),
            "high_quality": float(good_counts.sum() / count),
            "reverse_kl": divergence(all_counts / count, uniform),
        }
