"""Metrics by distances to the nearest neighbours in feature space."""

import math
from collections.abc import Iterator
from statistics import harmonic_mean
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from ganctl.metrics.extractor import Extractor
from ganctl.metrics.metric import METRICS, Metric
from ganctl.metrics.sample_sets import Samples
from ganctl.metrics.statistics import Statistics
from ganctl.runtime.console import track
from ganctl.runtime.randomness import permutation

ROWS, COLUMNS = 512, 8192
"""The block of a matrix of distances that is computed at once; blocks of all columns are held at once."""

VALUES = 1 << 25
"""Values of features that are held as float64 beside it, which makes blocks of long features narrower."""

CANCELLED = 1e-8
"""Squared distances below this share of the features' own squares are mostly rounding errors."""

MANY = 64
"""If more than one pair in so many cancels, as among equal samples, differences of all pairs cost less."""

PAIRS = 1 << 24
"""Values of pairs whose distances are computed again at once."""

RARE = 0.01
"""The share of real samples that sets how near counts as a copy."""


def distances(rows: Tensor, columns: Tensor, device: torch.device) -> Iterator[tuple[int, Tensor]]:
    """Yield blocks of the Euclidean distances of two sets [n, dimension], float64 [≤ 512, columns].

    Each comes with the number of its first row. Those of equal features are exactly 0. Features may be bytes.
    """
    width = max(1, min(COLUMNS, VALUES // columns.shape[1]))
    for start in track(range(0, len(rows), ROWS), -(-len(rows) // ROWS), "distances, blocks of rows"):
        part = rows[start : start + ROWS].to(device, torch.float64)
        blocks = [_distances(part, block.to(device, torch.float64)) for block in columns.split(width)]
        yield start, torch.cat(blocks, dim=1)


def _distances(rows: Tensor, columns: Tensor) -> Tensor:
    """Return distances by one matrix product, those that cancel in it by the differences themselves."""
    found = torch.cdist(rows, columns, compute_mode="use_mm_for_euclid_dist")
    squares = rows.square().sum(1)[:, None] + columns.square().sum(1)
    cancelled = (found.square() <= CANCELLED * squares).nonzero()
    if len(cancelled) > found.numel() // MANY:
        return torch.cdist(rows, columns, compute_mode="donot_use_mm_for_euclid_dist")
    for row, column in (pairs.unbind(1) for pairs in cancelled.split(max(1, PAIRS // rows.shape[1]))):
        found[row, column] = (rows[row] - columns[column]).norm(dim=1)
    return found


def closest(
    features: Tensor, others: Tensor, device: torch.device, count: int, own: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the distances of each feature to its `count` nearest other ones, and their numbers, both [n, count].

    Distances are float64 and rise, numbers int64. `own`, where features are among the others, are their numbers
    there, int64 [n].
    """
    found = []
    for start, block in distances(features, others, device):
        if own is not None:
            block[torch.arange(len(block)), own[start : start + len(block)]] = torch.inf
        found.append(block.min(1, keepdim=True) if count == 1 else block.topk(count, largest=False))
    return torch.cat([each.values for each in found]), torch.cat([each.indices for each in found])


def nearest(
    features: Tensor, others: Tensor, device: torch.device, own: Tensor | None = None, neighbours: int = 1
) -> Tensor:
    """Return each feature's distance to its k-th nearest other one, float64 [n], as `closest` finds it."""
    return closest(features, others, device, neighbours, own)[0][:, -1]


def balls(side: Statistics, count: int, neighbours: int) -> Tensor:
    """Return the radii of one side's first features, found once however many metrics and seeds read them."""

    def radii() -> Tensor:
        features = side.features[:count]
        return nearest(features, features, side.extractor.arithmetic, torch.arange(count), neighbours)

    return side.derived(("radii", count, neighbours), radii)


def share_inside(features: Tensor, centres: Tensor, around: Tensor, device: torch.device) -> float:
    """Return the share of features in any of the balls of radii `around` the centres."""
    inside = sum(int((block <= around).any(1).sum()) for _, block in distances(features, centres, device))
    return inside / len(features)


class ManifoldMetric(Metric):
    """A metric by balls that reach from each sample to its k-th nearest neighbour.

    Both sides give as many samples as the smaller one has. Otherwise the balls of the larger side would be
    smaller, and equal distributions would look different.
    """

    needs = frozenset({"features"})
    better = "higher"
    neighbours: Annotated[int, Field(ge=1, le=10_000)]

    def check(self, real: Samples, generated: Samples, extractor: Extractor) -> None:
        """Refuse sets without so many neighbours."""
        self.require_count(self.neighbours + 1, f"for {self.neighbours} neighbours", real, generated)


@METRICS.register
class PrecisionRecall(ManifoldMetric):
    """Improved precision and recall (Kynkäänniemi et al. 2019, equations 1 and 2)."""

    value = "f_score"
    name: Literal["precision_recall"]

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return `precision`, the share of fakes in balls of real ones, `recall`, the reverse, and `f_score`."""
        device = real.extractor.arithmetic
        count = min(real.samples.count, generated.samples.count)
        around_real, around_generated = (balls(side, count, self.neighbours) for side in (real, generated))
        ours, theirs = generated.features[:count], real.features[:count]
        precision = share_inside(ours, theirs, around_real, device)
        recall = share_inside(theirs, ours, around_generated, device)
        return {"precision": precision, "recall": recall, "f_score": harmonic_mean((precision, recall))}


@METRICS.register
class DensityCoverage(ManifoldMetric):
    """Density and coverage of the balls of real samples (Naeem et al. 2020, equations 3 and 4)."""

    value = "coverage"
    name: Literal["density_coverage"]

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return `density`, 1 for equal distributions, and `coverage`, the share of real balls that are hit."""
        device = real.extractor.arithmetic
        count = min(real.samples.count, generated.samples.count)
        around = balls(real, count, self.neighbours)
        inside, covered = 0, 0
        for start, block in distances(real.features[:count], generated.features[:count], device):
            near = block <= around[start : start + len(block), None]
            inside += int(near.sum())
            covered += int(near.any(1).sum())
        return {"density": inside / (self.neighbours * count), "coverage": covered / count}


@METRICS.register
class NearestNeighbour(Metric):
    """Distance from generated samples to real ones, compared with that between real ones: small for copies."""

    needs = frozenset({"features"})
    value = "distance_ratio"
    better = None
    fewest = (2, "to have a neighbour")
    name: Literal["nearest_neighbour"]
    num: Annotated[int, Field(ge=2, le=1_000_000)]

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return medians of distances and the share of copies, from up to `num` samples of each side.

        `distance` is from generated samples to the nearest real one, `distance_real` from real samples to the
        nearest other one. `distance_ratio` is the first over the second: 1 for new samples like the data, 0 for
        copies, NaN where most real samples have an equal one. `copies` is the share of generated samples as near
        as the nearest 1 % of the real ones: 0.01 for new samples, 1 for copies.
        """
        device = real.extractor.arithmetic
        ours = nearest(generated.features[: self.num], real.features, device)
        chosen = examined(real.samples.count, self.num, seed)
        theirs = nearest(real.features[chosen], real.features, device, chosen)
        return copying(ours, theirs)


def examined(count: int, num: int, seed: int) -> Tensor:
    """Return the numbers of up to `num` of so many real samples whose nearest other one is looked for."""
    return permutation(count, "nearest_neighbour", seed)[:num]


def copying(ours: Tensor, theirs: Tensor) -> dict[str, float]:
    """Return how the distances of samples to the nearest real one, [n], compare with those of real ones, [m].

    The numbers are those of `NearestNeighbour`.
    """
    distance, distance_real = float(ours.median()), float(theirs.median())
    return {
        "distance": distance,
        "distance_real": distance_real,
        "distance_ratio": distance / distance_real if distance_real > 0 else math.nan,
        "copies": float((ours <= theirs.quantile(RARE)).double().mean()),
    }
