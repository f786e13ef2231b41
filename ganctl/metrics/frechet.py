"""The Fréchet distance of two Gaussians fitted to features."""

import math
from typing import Literal

import torch
from torch import Tensor

from ganctl.metrics.extractor import Extractor
from ganctl.metrics.metric import METRICS, Metric
from ganctl.metrics.sample_sets import Samples
from ganctl.metrics.statistics import Moments, Statistics


@METRICS.register
class Fid(Metric):
    """The Fréchet distance between Gaussians of real and generated features (Heusel et al. 2017, equation 6)."""

    needs = frozenset({"moments"})
    value = "fid"
    name: Literal["fid"]

    def check(self, real: Samples, generated: Samples, extractor: Extractor) -> None:
        """Refuse fewer samples than determine a covariance: one more than features have dimensions."""
        why = f"for the covariance of {extractor.dimension:,} features"
        self.require_count(extractor.dimension + 1, why, real, generated)

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return `fid`, the squared distance, ≥ 0; it falls with more samples, so compare equal counts."""
        return {"fid": frechet_distance(real.moments, generated.moments)}


def frechet_distance(first: Moments, second: Moments) -> float:
    """Return ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½), in float64 (Dowson and Landau 1982).

    The trace of the root is the sum of the roots of the eigenvalues of the symmetric Σ₁^½ Σ₂ Σ₁^½. Moments that
    are not finite, as of a generator whose samples overflow, have the distance NaN.
    """
    moments = (first.mean, first.covariance, second.mean, second.covariance)
    if not all(bool(each.isfinite().all()) for each in moments):
        return math.nan
    apart = (first.mean - second.mean).square().sum()
    root = _root(first.covariance)
    shared = torch.linalg.eigvalsh(root @ second.covariance @ root).clamp(min=0).sqrt().sum()
    traces = first.covariance.trace() + second.covariance.trace()
    return max(0.0, float(apart + traces - 2 * shared))


def _root(covariance: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root
