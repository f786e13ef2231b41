"""Student's interval: it covers the mean as often as it says."""

import math
from collections.abc import Iterator

import pytest
import torch

from ganctl.runtime.intervals import interval
from tests.metrics.measured import normal


@pytest.fixture
def draws() -> Iterator[torch.Tensor]:
    return iter(normal(2000, 5, 0).double())


def test_students_interval_covers_the_mean_as_often_as_it_says(draws: Iterator[torch.Tensor]) -> None:
    covered = 0
    for five in draws:
        found = interval(five.tolist())
        assert found.half_width is not None
        covered += abs(found.mean) <= found.half_width
    assert abs(covered / 2000 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_students_interval_is_that_of_the_tables() -> None:
    found = interval([1.0, 2.0, 3.0])
    assert found.mean == 2
    assert found.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)  # t of 2 degrees at 97.5 %
    assert interval([4.0]).half_width is None
