import math
from collections.abc import Iterator

import pytest
import torch

from ganctl.data.store import Store
from ganctl.errors import ConfigError
from ganctl.metrics import METRICS, Samples, check, floor, interval, measure, of_store, of_tensor
from tests.metrics.measured import metric, normal, raw, source

RING = source("ring", num=4000)


@pytest.fixture(scope="module")
def ring() -> Store:
    return RING.load()


def test_several_metrics_are_measured_at_once_under_their_keys(ring: Store) -> None:
    names = ("fid", "kid", "precision_recall", "density_coverage", "nearest_neighbour", "mixture_modes")
    metrics = {f"my_{name}": metric(name) for name in names} | {"my_kid": metric("kid", subsets=5)}
    real, generated = of_store(ring, RING), of_tensor(ring.samples[:1500])
    found = measure(metrics, raw(ring.samples), real, generated, 0)
    assert list(found) == list(metrics)
    for key, numbers in found.items():
        assert METRICS[key.removeprefix("my_")].value in numbers
        assert all(math.isfinite(number) for number in numbers.values())
    assert found == measure(metrics, raw(ring.samples), real, generated, 0)


def test_each_side_is_read_once_whatever_is_measured() -> None:
    reads: list[int] = []
    points = normal(1000, 2, 0)

    def read(start: int, stop: int) -> torch.Tensor:
        reads.append(stop - start)
        return points[start:stop]

    generated = Samples(1000, (2,), read)
    metrics = {name: metric(name) for name in ("fid", "precision_recall")} | {"kid": metric("kid", subsets=2)}
    measure(metrics, raw(points), of_tensor(points), generated, 0)
    assert sum(reads) == 1000


def test_the_floor_is_that_of_two_disjoint_halves(ring: Store) -> None:
    metrics = {"fid": metric("fid"), "nearest": metric("nearest_neighbour"), "modes": metric("mixture_modes")}
    numbers, count = floor(metrics, raw(ring.samples), ring, RING, 10_000, 0)
    assert count == 2000
    assert 0 < numbers["fid"]["fid"] < 1e-2
    assert numbers["nearest"]["copies"] < 0.05  # halves that overlapped would hold copies
    assert numbers["modes"]["modes"] == 8
    assert floor(metrics, raw(ring.samples), ring, RING, 500, 0)[1] == 500
    assert (
        floor(metrics, raw(ring.samples), ring, RING, 500, 1)[0]
        != floor(metrics, raw(ring.samples), ring, RING, 500, 0)[0]
    )


def test_what_cannot_be_measured_is_said_before_anything_is_read(ring: Store) -> None:
    def read(start: int, stop: int) -> torch.Tensor:
        raise AssertionError("read")

    real = of_store(ring, RING)
    with pytest.raises(ConfigError, match=r"^metric.kid: 10 samples are too few"):
        check({"kid": metric("kid")}, raw(ring.samples), real, Samples(10, (2,), read))
    with pytest.raises(ConfigError, match=r"made for samples of points of 2 dimensions, not of points of 3 dim"):
        check({"kid": metric("kid")}, raw(ring.samples), real, Samples(10, (3,), read))


def test_raw_pixels_are_shares_of_255_and_large_pictures_are_refused() -> None:
    pictures = torch.tensor([0, 51, 255], dtype=torch.uint8)[:, None, None, None].expand(-1, 8, 8, 1)
    assert raw(pictures).look(pictures).features[:, 0].tolist() == pytest.approx([0, 0.2, 1])
    with pytest.raises(
        ConfigError, match=r"raw takes pictures of up to 4,096 values, not of 12,288; take metric/feat"
    ):
        raw(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))


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
