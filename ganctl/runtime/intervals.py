"""How far the mean of a few values can be trusted."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and the half width of its confidence interval, None for a single value."""

    mean: float
    half_width: float | None
    values: tuple[float, ...]


def interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean of independent values and Student's t interval around it (Student 1908)."""
    count = len(values)
    mean = fmean(values)
    if count == 1:
        return Interval(mean, None, tuple(values))
    half_width = quantile(count, confidence) * stdev(values) / math.sqrt(count)
    return Interval(mean, half_width, tuple(values))


def quantile(count: int, confidence: float = 0.95) -> float:
    """Return by how many standard errors Student's t interval of the mean of `count` values, ≥ 2, extends."""
    from scipy.special import stdtrit

    return float(stdtrit(count - 1, (1 + confidence) / 2))
