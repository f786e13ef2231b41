"""A metric: the distance between the means of real and generated features."""

from typing import Literal

from ganctl.metrics import METRICS, Metric, Statistics


@METRICS.register
class MeanDistance(Metric):
    """‖μ₁ − μ₂‖ in the features of an extractor; lower is better."""

    needs = frozenset({"moments"})
    value = "distance"
    name: Literal["mean_distance"]

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return the numbers by name."""
        return {"distance": float((real.moments.mean - generated.moments.mean).norm())}
