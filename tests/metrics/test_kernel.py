import pytest
import torch

from ganctl.errors import ConfigError
from ganctl.metrics.kernel import squared_discrepancy
from tests.metrics.measured import computed, metric, normal


def test_of_equal_distributions_the_mean_over_many_draws_is_zero() -> None:
    values = torch.stack(
        [
            squared_discrepancy(normal(30, 4, 2 * n).double(), normal(30, 4, 2 * n + 1).double())
            for n in range(1000)
        ]
    )
    standard_error = values.std() / len(values) ** 0.5
    assert abs(values.mean()) < 4 * standard_error
    assert values.min() < 0  # an unbiased estimate of 0 falls on both sides
    assert standard_error < 0.02


def test_it_grows_with_the_distance_of_means() -> None:
    kid = metric("kid", subsets=5)
    near, far = (computed(kid, normal(1000, 4, 0), normal(1000, 4, 1, mean=m))["kid"] for m in (0.1, 1))
    assert 0 < near < far


def test_the_numbers_are_torch_fidelitys() -> None:
    fidelity = pytest.importorskip("torch_fidelity.metric_kid")
    real, generated = normal(200, 6, 0), normal(200, 6, 1, mean=0.4)
    theirs = fidelity.kid_features_to_metric(
        real.double(),
        generated.double(),
        kid_subsets=1,
        kid_subset_size=200,
        kid_kernel="poly",
        kid_kernel_poly_degree=3,
        kid_kernel_poly_gamma=None,
        kid_kernel_poly_coef0=1.0,
        rng_seed=0,
        verbose=False,
    )["kernel_inception_distance_mean"]
    ours = computed(metric("kid", subsets=3, size=200), real, generated)
    assert ours["kid"] == pytest.approx(theirs, rel=1e-9)
    assert ours["kid_std"] == pytest.approx(0, abs=1e-9)  # subsets of all samples differ in their order alone


def test_subsets_follow_the_seed() -> None:
    kid = metric("kid", subsets=5, size=50)
    sides = normal(300, 4, 0), normal(300, 4, 1)
    assert computed(kid, *sides, seed=1) == computed(kid, *sides, seed=1)
    assert computed(kid, *sides, seed=1) != computed(kid, *sides, seed=2)
    assert computed(kid, *sides)["kid_std"] > 0


def test_fewer_samples_than_a_subset_holds_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"^metric.kid: 999 samples are too few for subsets of metric.kid.size=1,000"
    ):
        computed(metric("kid"), normal(1000, 2, 0), normal(999, 2, 1))
