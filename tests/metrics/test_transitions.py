"""First-order statistics of sequences against NumPy and known processes."""

import math

import numpy as np
import pytest
import torch

from ganctl.errors import ConfigError
from ganctl.metrics import of_tensor
from tests.metrics.measured import measured, metric, raw, source


def numbers(real: torch.Tensor, fake: torch.Tensor) -> dict[str, float]:
    return measured({"transitions": metric("transitions")}, raw(real), of_tensor(real), of_tensor(fake))[
        "transitions"
    ]


def walk(phi: float, sigma: float, seed: int = 0, num: int = 3000) -> torch.Tensor:
    return source("ar1", phi=phi, sigma=sigma, seed=seed, num=num).load().samples


def test_the_numbers_are_those_of_a_regression() -> None:
    real, fake = walk(0.8, 0.6), walk(0.5, 1.0, seed=1, num=50) + 0.3
    found = numbers(real, fake)
    told = {}
    for name, rows in (("real", real), ("fake", fake)):
        x, y = (rows[:, part, 0].double().flatten().numpy() for part in (slice(0, -1), slice(1, None)))
        slope, start = np.polyfit(x, y, 1)
        told[name] = slope, np.std(y - start - slope * x), np.corrcoef(x, y)[0, 1]
    for place, key in enumerate(("slope", "noise", "autocorrelation")):
        assert found[key] == pytest.approx(told["fake"][place], rel=1e-6)
        assert found[f"{key}_error"] == pytest.approx(abs(told["fake"][place] - told["real"][place]), rel=1e-5)


def test_the_divergence_is_that_of_the_processes() -> None:
    (phi, sigma), (other, noise) = (0.8, 0.6), (0.5, 0.9)
    expected = math.log(noise / sigma) + (sigma**2 + (other - phi) ** 2) / (2 * noise**2) - 0.5  # values have 1
    assert numbers(walk(phi, sigma), walk(other, noise, seed=1))["transition_kl"] == pytest.approx(
        expected, rel=0.03
    )
    same = numbers(walk(phi, sigma), walk(phi, sigma, seed=1))
    assert 0 <= same["transition_kl"] < 1e-3
    assert same["slope_error"] < 0.01


def test_channels_are_averaged() -> None:
    pairs = (walk(0.8, 0.6), walk(0.7, 0.5, seed=1)), (walk(-0.5, 2.0), walk(0.1, 1.0, seed=1))
    each = [numbers(*pair) for pair in pairs]
    both = numbers(*(torch.cat(side, 2) for side in zip(*pairs, strict=True)))
    assert both == pytest.approx({name: (each[0][name] + each[1][name]) / 2 for name in both})


def test_points_are_refused() -> None:
    points = torch.zeros(10, 2)
    with pytest.raises(ConfigError, match=r"metric\.transitions: reads sequences, but the data is points"):
        numbers(points, points)
