import math
from dataclasses import replace

import pytest
import torch

from ganctl.data.store import Store
from ganctl.errors import ConfigError
from ganctl.metrics import METRICS, Comparison, Metric, Samples, of_store, of_tensor
from ganctl.samples import SampleSpace
from tests.metrics.measured import extractor, measured, metric, normal, raw, reference, source

RING = source("ring", num=4000)


@pytest.fixture(scope="module")
def ring() -> Store:
    return RING.load()


def test_several_metrics_are_measured_at_once_under_their_keys(ring: Store) -> None:
    names = ("fid", "kid", "precision_recall", "density_coverage", "nearest_neighbour", "mixture_modes")
    metrics = {f"my_{name}": metric(name) for name in names} | {"my_kid": metric("kid", subsets=5)}
    real, generated = of_store(ring, RING), of_tensor(ring.samples[:1500])
    found = measured(metrics, raw(ring.samples), real, generated)
    assert list(found) == list(metrics)
    for key, numbers in found.items():
        assert METRICS[key.removeprefix("my_")].value in numbers
        assert all(math.isfinite(number) for number in numbers.values())
    assert found == measured(metrics, raw(ring.samples), real, generated)


def test_each_side_is_read_once_whatever_is_measured() -> None:
    reads: list[int] = []
    points = normal(1000, 2, 0)

    def read(start: int, stop: int) -> torch.Tensor:
        reads.append(stop - start)
        return points[start:stop]

    generated = Samples(1000, SampleSpace.of_shape((2,)), read)
    metrics = {name: metric(name) for name in ("fid", "precision_recall")} | {"kid": metric("kid", subsets=2)}
    measured(metrics, raw(points), of_tensor(points), generated)
    assert sum(reads) == 1000


def test_the_floor_is_what_a_part_of_the_data_has_beside_the_rest(ring: Store) -> None:
    metrics = {"fid": metric("fid"), "nearest": metric("nearest_neighbour"), "modes": metric("mixture_modes")}
    comparison = Comparison(metrics, raw(ring.samples), of_store(ring, RING))
    floor = comparison.baseline(10_000, 0)
    assert (floor.count, floor.others, floor.left_out) == (2000, 2000, ())
    assert 0 < floor.numbers["fid"]["fid"] < 1e-2
    assert floor.numbers["nearest"]["copies"] < 0.05  # parts that overlapped would hold copies
    assert floor.numbers["modes"]["modes"] == 8
    fewer = comparison.baseline(500, 0)
    assert (fewer.count, fewer.others) == (500, 3500)
    samples = of_store(ring, RING)
    part, rest = samples.part(0, 500), samples.part(500, 4000)
    expected = measured(metrics, raw(ring.samples), rest, part)
    assert fewer.numbers["fid"]["fid"] == pytest.approx(expected["fid"]["fid"], rel=1e-9)
    assert {key: fewer.numbers[key] for key in ("nearest", "modes")} == {
        key: expected[key] for key in ("nearest", "modes")
    }


def test_a_perfect_generator_has_the_numbers_of_the_floor(ring: Store) -> None:
    """Its samples are as many real ones that it was not compared with; counts are unequal on purpose."""
    metrics = {name: metric(name) for name in ("precision_recall", "density_coverage", "nearest_neighbour")}
    unseen = source("ring", num=5000, seed=9).load()
    comparison = Comparison(metrics, raw(ring.samples), of_store(ring, RING))
    perfect = comparison.numbers(of_tensor(unseen.samples[:600]), 0)
    floor = comparison.baseline(600, 0).numbers
    for key in metrics:
        for name, value in perfect[key].items():
            assert value == pytest.approx(floor[key][name], rel=0.1, abs=0.02), name
    assert perfect["density_coverage"]["coverage"] > 0.9


def test_the_floor_of_what_has_too_few_samples_is_left_out_and_that_is_said(ring: Store) -> None:
    metrics = {"kid": metric("kid", size=1000, subsets=2), "fid": metric("fid")}
    floor = Comparison(metrics, raw(ring.samples), of_store(ring, RING)).baseline(999, 0)
    assert set(floor.numbers) == {"fid"}
    assert floor.left_out == (
        "metric.kid: 999 samples are too few for subsets of metric.kid.size=1,000; "
        "it takes 1,000 or more on each side",
    )
    alone = Comparison({"fid": metric("fid")}, raw(ring.samples), of_store(ring, RING, 1)).baseline(10, 0)
    assert (alone.numbers, alone.count, len(alone.left_out)) == ({}, 0, 1)


def test_of_real_samples_no_more_is_looked_at_than_is_read(ring: Store) -> None:
    def never(start: int, stop: int) -> torch.Tensor:
        raise AssertionError("read")

    digits = source("digits", resolution=8)
    store = digits.load()
    look = extractor("classifier", steps=1, width=2).open(reference(digits, store))
    metrics: dict[str, Metric] = {"mode_count": metric("mode_count")}
    real = replace(of_store(store, digits), read=never)
    assert measured(metrics, look, real, of_tensor(store.samples[:50]))["mode_count"]["modes"] >= 1


def test_what_cannot_be_measured_is_said_before_anything_is_read(ring: Store) -> None:
    def read(start: int, stop: int) -> torch.Tensor:
        raise AssertionError("read")

    real = of_store(ring, RING)
    kid = Comparison({"kid": metric("kid")}, raw(ring.samples), real)
    with pytest.raises(ConfigError, match=r"^metric.kid: 10 samples are too few"):
        kid.check(Samples(10, real.space, read))
    with pytest.raises(ConfigError, match=r"made for samples of points of 2 dimensions, not of points of 3 dim"):
        kid.check(Samples(10, SampleSpace.of_shape((3,)), read))


def test_raw_pixels_are_shares_of_255_and_large_pictures_are_refused() -> None:
    pictures = torch.tensor([0, 51, 255], dtype=torch.uint8)[:, None, None, None].expand(-1, 8, 8, 1)
    assert raw(pictures).extract(pictures).features[:, 0].tolist() == pytest.approx([0, 0.2, 1])
    with pytest.raises(
        ConfigError, match=r"raw takes images of up to 4,096 values, not of 12,288; take metric/feat"
    ):
        raw(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
