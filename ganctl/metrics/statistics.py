"""From samples to what metrics read: moments, features and logits, in one pass and bounded memory."""

from collections.abc import Callable, Collection, Hashable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ganctl.metrics.extractor import Extractor, exact_fp32
from ganctl.metrics.sample_sets import CHUNK, Samples
from ganctl.metrics.tensor_cache import Form, TensorCache
from ganctl.runtime.console import track

Need = Literal["moments", "features", "logits"]

ROWS = frozenset({"features", "logits"})
"""The needs that have a row for each sample."""

STATISTICS_VERSION = 2
"""Raised with every change of what is cached."""


@dataclass(frozen=True)
class Moments:
    """Mean, float64 [dimension], and unbiased covariance, float64 [dimension, dimension], of `count` features."""

    count: int
    mean: Tensor
    covariance: Tensor

    def without(self, part: "Moments") -> "Moments":
        """Return the moments that, merged with the part's, give these (Chan et al. 1979, equation 2.1)."""
        count = self.count - part.count
        mean = (self.count * self.mean - part.count * part.mean) / count
        apart = mean - part.mean
        scatter = (self.count - 1) * self.covariance - (part.count - 1) * part.covariance
        scatter = scatter.addr(apart, apart, alpha=-part.count * count / self.count)
        return Moments(count, mean, scatter / (count - 1))


class MomentSum:
    """Mean and covariance of features that come in chunks, merged without loss (Chan et al. 1979)."""

    def __init__(self, dimension: int, device: torch.device) -> None:
        self.count = 0
        self.mean = torch.zeros(dimension, dtype=torch.float64, device=device)
        self._scatter = torch.zeros(dimension, dimension, dtype=torch.float64, device=device)

    def add(self, features: Tensor) -> None:
        """Take in features, [n, dimension]."""
        values = features.to(self.mean.device).double()
        total = self.count + len(values)
        mean = values.mean(0)
        values = values - mean
        apart = mean - self.mean
        self._scatter.addmm_(values.T, values)
        self._scatter.addr_(apart, apart, alpha=self.count * len(values) / total)
        self.mean += apart * (len(values) / total)
        self.count = total

    def moments(self) -> Moments:
        """Return the moments of all that was taken in, on the CPU; at least two features."""
        return Moments(self.count, self.mean.cpu(), (self._scatter / (self.count - 1)).cpu())


class Statistics:
    """What metrics may read of one set of samples: its collected statistics, and the samples themselves."""

    def __init__(self, samples: Samples, extractor: Extractor, found: dict[str, Tensor]) -> None:
        self.samples = samples
        self.extractor = extractor
        self._found = found
        self._derived: dict[Hashable, Tensor] = {}

    def derived(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """Return what `compute` makes of these statistics; it is called once under one key."""
        if key not in self._derived:
            self._derived[key] = compute()
        return self._derived[key]

    @property
    def moments(self) -> Moments:
        """Mean and covariance of the features."""
        return Moments(self.samples.count, self._found["mean"], self._found["covariance"])

    def without_first(self, part: "Statistics", rest: Samples) -> "Statistics":
        """Return the statistics of the rest of these samples without the first, of which `part` has as much."""
        found = {name: self._found[name][part.samples.count :] for name in self._found if name in ROWS}
        if "mean" in self._found:
            moments = self.moments.without(part.moments)
            found |= {"mean": moments.mean, "covariance": moments.covariance}
        return Statistics(rest, self.extractor, found)

    @property
    def features(self) -> Tensor:
        """Features of every sample, float32 [count, dimension], on the CPU."""
        return self._found["features"]

    @property
    def logits(self) -> Tensor:
        """Logits of every sample, float32 [count, classes], on the CPU."""
        return self._found["logits"]


def collect(
    samples: Samples, extractor: Extractor, needs: Collection[Need], cache: str | None = None
) -> Statistics:
    """Extract the features of every sample once and return the statistics that are needed.

    With a folder `cache` (auto = the system's), those of samples whose content is known are found there the next
    time.
    """
    if not needs:
        return Statistics(samples, extractor, {})
    question = [STATISTICS_VERSION, samples.content, extractor.describe(), sorted(needs)]
    known = samples.content is not None and not extractor.cheap
    cached = TensorCache(cache, "statistics") if known and cache is not None else None
    found = cached.read(question, _forms(samples, extractor, needs)) if cached else None
    if found is None:
        found = _extracted(samples, extractor, needs)
        if cached:
            cached.write(question, found)
    return Statistics(samples, extractor, found)


def _forms(samples: Samples, extractor: Extractor, needs: Collection[Need]) -> dict[str, Form]:
    """Return the type and shape of what `_extracted` returns."""
    width, count = extractor.dimension, samples.count
    forms: dict[Need, dict[str, Form]] = {
        "moments": {"mean": (torch.float64, (width,)), "covariance": (torch.float64, (width, width))},
        "features": {"features": (torch.float32, (count, width))},
        "logits": {"logits": (torch.float32, (count, extractor.classes))},
    }
    return {name: form for need in needs for name, form in forms[need].items()}


@torch.no_grad()
def _extracted(samples: Samples, extractor: Extractor, needs: Collection[Need]) -> dict[str, Tensor]:
    total = MomentSum(extractor.dimension, extractor.arithmetic) if "moments" in needs else None
    forms = _forms(samples, extractor, needs)
    found = {name: torch.empty(forms[name][1]) for name in sorted(ROWS & forms.keys())}
    done = 0
    with exact_fp32():
        for chunk in track(samples.chunks(), -(-samples.count // CHUNK), f"looking by {extractor.name}"):
            seen = extractor.extract(chunk)
            if total is not None:
                total.add(seen.features)
            for need, rows in found.items():
                values = seen.features if need == "features" else seen.logits
                assert values is not None, f"{extractor.name} has no logits"
                rows[done : done + len(chunk)] = values
            done += len(chunk)
    if total is not None:
        moments = total.moments()
        found |= {"mean": moments.mean, "covariance": moments.covariance}
    return found
