"""How one value of a sequence leads to the next, in real and generated sequences."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ganctl.metrics.extractor import Extractor
from ganctl.metrics.metric import METRICS, Metric
from ganctl.metrics.sample_sets import CHUNK, Samples
from ganctl.metrics.statistics import Statistics


@METRICS.register
class Transitions(Metric):
    """Models x_t = a + b x_{t−1} + s ε_t, ε_t normal, fitted to real and generated sequences by least squares.

    Of several channels each is fitted by itself, and the numbers are means over them.
    """

    value = "transition_kl"
    name: Literal["transitions"]

    def check(self, real: Samples, generated: Samples, extractor: Extractor) -> None:
        """Refuse what are no sequences."""
        real.space.require_sequences("metric.transitions: reads sequences", "take another metric")
        super().check(real, generated, extractor)

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return `transition_kl`, in nats a real transition from real to generated, and what makes it.

        These are `slope` b, `noise` s and `autocorrelation` at lag 1 of generated sequences, and how far each is
        from that of real ones: `slope_error`, `noise_error`, `autocorrelation_error`, ≥ 0.
        """
        ours, theirs = (FirstOrder.of(side.samples) for side in (real, generated))
        told = {"slope": theirs.slope, "noise": theirs.noise, "autocorrelation": theirs.autocorrelation}
        wanted = {"slope": ours.slope, "noise": ours.noise, "autocorrelation": ours.autocorrelation}
        errors = {f"{name}_error": float((told[name] - wanted[name]).abs().mean()) for name in told}
        numbers = {name: float(values.mean()) for name, values in told.items()}
        return {"transition_kl": float(ours.divergence(theirs).mean())} | errors | numbers


@dataclass(frozen=True)
class FirstOrder:
    """Means and covariances of pairs (x_{t−1}, x_t), float64 [channels, 2] and [channels, 2, 2]."""

    mean: Tensor
    covariance: Tensor

    @classmethod
    def of(cls, samples: Samples) -> "FirstOrder":
        """Return those of all pairs of neighbours."""
        channels = samples.space.shape[0]
        total, products = torch.zeros(channels, 2).double(), torch.zeros(channels, 2, 2).double()
        count = 0
        for chunk in samples.chunks(CHUNK):
            values = chunk.double().transpose(1, 2)
            pairs = torch.stack([values[..., :-1], values[..., 1:]], -1).transpose(0, 1).flatten(1, 2)
            count += pairs.shape[1]
            total += pairs.sum(1)
            products += pairs.transpose(1, 2) @ pairs
        mean = total / count
        return cls(mean, products / count - mean[:, :, None] * mean[:, None])

    @property
    def slope(self) -> Tensor:
        """What a value leaves to the next, [channels]."""
        return self.covariance[:, 0, 1] / self.covariance[:, 0, 0]

    @property
    def noise(self) -> Tensor:
        """The standard deviation of what is new in a value, [channels]."""
        return (self.covariance[:, 1, 1] - self.slope * self.covariance[:, 0, 1]).clamp_min(0).sqrt()

    @property
    def autocorrelation(self) -> Tensor:
        """The correlation of neighbours, [channels]."""
        return self.covariance[:, 0, 1] / (self.covariance[:, 0, 0] * self.covariance[:, 1, 1]).sqrt()

    def divergence(self, other: "FirstOrder") -> Tensor:
        """Return the Kullback-Leibler divergence of this model's transitions from the other's, [channels]."""
        turned = other.slope - self.slope
        starts = [each.mean[:, 1] - each.slope * each.mean[:, 0] for each in (self, other)]
        apart = (starts[1] - starts[0] + turned * self.mean[:, 0]).square()
        apart = apart + turned.square() * self.covariance[:, 0, 0]
        ratio = (self.noise / other.noise).square()
        return (ratio - 1 - ratio.log() + apart / other.noise.square()) / 2
