import numpy as np
import pytest
import scipy.linalg
import torch

from ganctl.errors import ConfigError
from ganctl.metrics import of_tensor
from ganctl.metrics.frechet import frechet_distance
from ganctl.metrics.statistics import Moments
from tests.metrics.measured import computed, metric, normal, raw


def moments(mean: list[float], covariance: list[list[float]]) -> Moments:
    return Moments(100, torch.tensor(mean).double(), torch.tensor(covariance).double())


def test_gaussians_of_known_moments_have_the_distance_of_the_closed_form() -> None:
    # diagonal covariances commute: Σ (σ₁ − σ₂)² + ‖μ₁ − μ₂‖²
    first = moments([1.0, 2.0], [[4.0, 0.0], [0.0, 9.0]])
    second = moments([4.0, -2.0], [[1.0, 0.0], [0.0, 25.0]])
    assert frechet_distance(first, second) == pytest.approx(25 + 1 + 4, abs=1e-12)
    assert frechet_distance(first, first) == pytest.approx(0, abs=1e-12)


def test_samples_of_two_gaussians_come_near_it() -> None:
    real, generated = normal(40_000, 3, 0), normal(40_000, 3, 1, mean=0.5, std=2.0)
    expected = 3 * (0.5**2 + (2 - 1) ** 2)
    assert computed(metric("fid"), real, generated)["fid"] == pytest.approx(expected, rel=0.02)


def test_the_distance_is_that_of_scipys_matrix_root() -> None:
    mix = normal(12, 12, 2)
    real, generated = normal(500, 12, 0) @ mix, normal(400, 12, 1, mean=0.3)
    means, covariances = zip(
        *((x.double().numpy().mean(0), np.cov(x.double().numpy(), rowvar=False)) for x in (real, generated)),
        strict=True,
    )
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert computed(metric("fid"), real, generated)["fid"] == pytest.approx(expected, rel=1e-9)


def test_the_distance_is_torch_fidelitys() -> None:
    fidelity = pytest.importorskip("torch_fidelity.metric_fid")
    real, generated = normal(900, 20, 0), normal(800, 20, 1, std=1.2)
    sides = [fidelity.fid_features_to_statistics(x.double()) for x in (real, generated)]
    expected = fidelity.fid_statistics_to_metric(*sides, verbose=False)["frechet_inception_distance"]
    assert computed(metric("fid"), real, generated)["fid"] == pytest.approx(expected, rel=1e-9)


def test_a_singular_covariance_has_a_distance_too() -> None:
    real = normal(100, 4, 0)
    real[:, 3] = real[:, 2]
    assert computed(metric("fid"), real, real)["fid"] == pytest.approx(0, abs=1e-7)


def test_too_few_samples_for_the_dimension_are_refused_in_one_line() -> None:
    few, enough = of_tensor(normal(8, 8, 0)), of_tensor(normal(9, 8, 0))
    metric("fid").check(enough, enough, raw(few.first(1)))
    for real, generated in ((few, enough), (enough, few)):
        with pytest.raises(ConfigError) as refused:
            metric("fid").check(real, generated, raw(few.first(1)))
        assert str(refused.value) == (
            "metric.fid: 8 samples are too few for the covariance of 8 features; it takes 9 or more on each side"
        )
