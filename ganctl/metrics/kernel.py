"""The distance of two sets of features in the space of a polynomial kernel."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from ganctl.metrics.extractor import Extractor
from ganctl.metrics.metric import METRICS, Metric
from ganctl.metrics.sample_sets import Samples
from ganctl.metrics.statistics import Statistics
from ganctl.runtime.randomness import permutation


@METRICS.register
class Kid(Metric):
    """The unbiased squared maximum mean discrepancy under (x·y/d + 1)³ (Bińkowski et al. 2018, section 4)."""

    needs = frozenset({"features"})
    value = "kid"
    name: Literal["kid"]
    subsets: Annotated[int, Field(ge=1, le=10_000)]
    size: Annotated[int, Field(ge=2, le=100_000)]

    def check(self, real: Samples, generated: Samples, extractor: Extractor) -> None:
        """Refuse fewer samples than a subset holds."""
        self.require_count(self.size, f"for subsets of metric.kid.size={self.size:,}", real, generated)

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return `kid`, the mean over subsets drawn by the seed, and `kid_std`; near 0, also below, = alike."""
        device = real.extractor.arithmetic
        values = []
        for number in range(self.subsets):
            sides = []
            for name, side in (("real", real.features), ("generated", generated.features)):
                chosen = permutation(len(side), "kid", seed, name, number)[: self.size]
                sides.append(side[chosen].to(device, torch.float64))
            values.append(squared_discrepancy(*sides))
        found = torch.stack(values)
        return {"kid": float(found.mean()), "kid_std": float(found.std(correction=0))}


def squared_discrepancy(first: Tensor, second: Tensor) -> Tensor:
    """Return the unbiased estimate, a scalar, from two sets [n, dimension] (Gretton et al. 2012, equation 3)."""

    def kernel(rows: Tensor, columns: Tensor) -> Tensor:
        return (rows @ columns.T / rows.shape[1] + 1) ** 3

    def among_others(rows: Tensor) -> Tensor:
        inside = kernel(rows, rows)
        return (inside.sum() - inside.trace()) / (len(rows) * (len(rows) - 1))

    return among_others(first) + among_others(second) - 2 * kernel(first, second).mean()
