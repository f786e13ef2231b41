import math
from typing import Any

import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from ganctl.errors import ConfigError
from ganctl.metrics import manifolds, of_tensor
from ganctl.metrics.statistics import collect
from tests.metrics.measured import CPU, computed, metric, normal, raw

LINE = torch.arange(10.0)[:, None]
"""Points whose neighbours are 1 apart: the third is 2 or, at the ends, 3 away."""


def test_radii_are_scikit_learns_distances_also_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifolds, "ROWS", 7)
    monkeypatch.setattr(manifolds, "COLUMNS", 11)
    features = normal(60, 5, 0)
    found = NearestNeighbors(n_neighbors=4).fit(features.double()).kneighbors(features.double())[0]
    distances = manifolds.nearest(features, features, CPU, torch.arange(60), 3)
    torch.testing.assert_close(distances, torch.from_numpy(found[:, 3]))


def test_precision_and_recall_of_sets_that_overlap_by_half() -> None:
    # generated: half on the data, half far off
    generated = torch.cat([LINE[:5], 1000 + 10 * LINE[:5]])
    found = computed(metric("precision_recall"), LINE, generated)
    assert found["precision"] == 0.5
    # balls of generated samples on the line reach to their third neighbour: 2 or 3; the far ones reach 30
    assert found["recall"] == pytest.approx(0.8)  # 0 to 7 = 4 + 3; 8 and 9 lie in no ball
    assert found["f_score"] == pytest.approx(2 * 0.5 * 0.8 / 1.3)


def test_equal_sets_have_full_precision_and_recall_and_distant_ones_none() -> None:
    assert set(computed(metric("precision_recall"), LINE, LINE).values()) == {1.0}
    assert set(computed(metric("precision_recall"), LINE, LINE + 100).values()) == {0.0}
    assert set(computed(metric("density_coverage"), LINE, LINE + 100).values()) == {0.0}


def test_a_collapsed_generator_has_precision_without_recall() -> None:
    real = normal(1000, 2, 0)
    found = computed(metric("precision_recall"), real, 0.01 * normal(1000, 2, 1))
    assert found["precision"] > 0.99
    assert found["recall"] < 0.01


def test_precision_and_recall_are_torch_fidelitys() -> None:
    fidelity = pytest.importorskip("torch_fidelity.metric_prc")
    real, generated = normal(500, 8, 0).double(), normal(500, 8, 1, std=1.3).double()
    precision, recall = fidelity.calculate_precision_recall_full(generated, real, 3)
    more = torch.cat([real, normal(200, 8, 2).double()])  # of which no more are taken than were generated
    found = computed(metric("precision_recall"), more, generated)
    assert (found["precision"], found["recall"]) == (pytest.approx(precision), pytest.approx(recall))
    assert 0 < precision < 1
    assert 0 < recall < 1


def test_density_and_coverage_of_a_line_are_counted_by_hand() -> None:
    # k = 1: every ball reaches 1 to each side; 4.5 lies in the balls of 4 and 5, 20 in none
    generated = torch.tensor([4.5, *range(20, 29)])[:, None]
    found = computed(metric("density_coverage", neighbours=1), LINE, generated)
    assert found == {"density": 0.2, "coverage": 0.2}


def test_equal_distributions_have_density_one_and_the_coverage_of_the_closed_form() -> None:
    count, k, draws = 300, 5, 20
    found = [
        computed(metric("density_coverage"), normal(count, 4, 2 * n), normal(count, 4, 2 * n + 1))
        for n in range(draws)
    ]
    # Naeem et al. 2020, equation 10: none of M fakes among the k nearest of N − 1 other reals and M fakes
    missed = math.prod((count - 1 - i) / (2 * count - 1 - i) for i in range(k))
    for key, expected, spread in (("density", 1.0, 0.1), ("coverage", 1 - missed, 0.02)):
        assert abs(sum(f[key] for f in found) / draws - expected) < 4 * spread / math.sqrt(draws), key


def test_copies_of_the_data_are_found_and_new_samples_are_not() -> None:
    real = normal(2000, 6, 0)
    copied = computed(metric("nearest_neighbour"), real, real[:500])
    assert copied["distance_ratio"] < 1e-6
    assert copied["copies"] == 1
    fresh = computed(metric("nearest_neighbour"), real, normal(500, 6, 1))
    assert fresh["distance_ratio"] == pytest.approx(1, abs=0.1)
    assert fresh["copies"] < 0.03
    half = computed(metric("nearest_neighbour"), real, torch.cat([real[:250], normal(250, 6, 1)]))
    assert half["copies"] == pytest.approx(0.5, abs=0.02)


def test_equal_features_are_0_apart_also_far_from_the_origin() -> None:
    real = (normal(300, 64, 0) * 100 + 1000).repeat(2, 1)
    found = computed(metric("nearest_neighbour"), real, normal(100, 64, 1))
    assert found["distance_real"] == 0
    assert math.isnan(found["distance_ratio"])
    assert computed(metric("precision_recall", neighbours=1), real, real)["f_score"] == 1


def test_distances_that_cancel_in_a_product_of_matrices_are_exact() -> None:
    near = normal(40, 8, 0).double() * 1e-6 + 1000
    (_, block) = next(manifolds.distances(near, near, CPU))
    exact = torch.cdist(near, near, compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(block, exact, rtol=1e-12, atol=0)


def test_a_generator_that_copies_is_found_out_where_real_samples_have_duplicates_too() -> None:
    real = normal(1000, 6, 0)
    real[:30] = real[30:60]
    copied = computed(metric("nearest_neighbour"), real, real[200:700])
    assert copied["copies"] == 1
    assert computed(metric("nearest_neighbour"), real, normal(500, 6, 1))["copies"] == 0


def test_distances_to_neighbours_are_scikit_learns() -> None:
    real, generated = normal(400, 5, 0), normal(300, 5, 1)
    found = computed(metric("nearest_neighbour"), real, generated)
    tree = NearestNeighbors(n_neighbors=2).fit(real.double())
    ours = torch.from_numpy(tree.kneighbors(generated.double())[0][:, 0]).median()
    theirs = torch.from_numpy(tree.kneighbors(real.double())[0][:, 1]).median()
    assert found["distance"] == pytest.approx(float(ours))
    assert found["distance_real"] == pytest.approx(float(theirs))


@pytest.mark.parametrize("name", ["precision_recall", "density_coverage"])
def test_sets_smaller_than_a_neighbourhood_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^metric.{name}: 3 samples are too few for . neighbours"):
        computed(metric(name), LINE, LINE[:3])


def test_balls_around_real_features_are_computed_once_for_metrics_and_seeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = manifolds.nearest
    sizes: list[int] = []

    def counting(features: torch.Tensor, *others: Any) -> torch.Tensor:
        sizes.append(len(features))
        return found(features, *others)

    monkeypatch.setattr(manifolds, "nearest", counting)
    metrics = [metric("precision_recall", neighbours=3), metric("density_coverage", neighbours=3)]
    look = raw(LINE)
    real = collect(of_tensor(LINE), look, {"features"})
    for seed in (0, 1):
        generated = collect(of_tensor(normal(7, 1, seed)), look, {"features"})
        for each in metrics:
            each.compute(real, generated, seed)
    assert sizes == [7, 7, 7]
    metric("precision_recall", neighbours=4).compute(real, collect(of_tensor(LINE), look, {"features"}), 0)
    assert sizes == [7, 7, 7, 10, 10]
