import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from ganctl.data.sources import SOURCES
from ganctl.data.store import Store
from ganctl.samples import IMAGES, POINTS


def grid(num: int = 25_000, *, side: int = 5, spacing: float = 2.0, std: float = 0.05, seed: int = 0) -> Store:
    return SOURCES["grid"](name="grid", side=side, spacing=spacing, std=std, num=num, seed=seed).load()


def line(num: int = 100_000, *, mean: float = 4.0, std: float = 1.25, seed: int = 0) -> Store:
    return SOURCES["gaussian1d"](name="gaussian1d", mean=mean, std=std, num=num, seed=seed).load()


def corners(side: int, spacing: float) -> torch.Tensor:
    middle = (side - 1) / 2
    return torch.tensor(
        [[(x - middle) * spacing, (y - middle) * spacing] for y in range(side) for x in range(side)]
    )


def test_the_grid_has_its_modes_in_equal_shares():
    store = grid()
    assert (len(store), store.space.shape, store.samples.dtype) == (25_000, (2,), torch.float32)
    assert torch.bincount(store.labels).tolist() == [1000] * 25
    assert torch.bincount(grid(30).labels).tolist() == [2] * 5 + [1] * 20
    assert store.classes == tuple(str(mode) for mode in range(25))


def test_the_grid_of_five_stands_at_the_even_numbers():
    means = torch.stack([grid().samples[grid().labels == mode].mean(0) for mode in range(25)])
    assert means.round().int().tolist() == [[x, y] for y in (-4, -2, 0, 2, 4) for x in (-4, -2, 0, 2, 4)]


@pytest.mark.parametrize(("side", "spacing", "std"), [(5, 2.0, 0.05), (2, 3.0, 0.5), (1, 1.0, 0.1)])
def test_the_grids_modes_lie_around_zero_and_spread_as_told(side, spacing, std):
    store = grid(side=side, spacing=spacing, std=std)
    noise = (store.samples - corners(side, spacing)[store.labels]).double()
    assert noise.mean(0).abs().max() < 5 * std / math.sqrt(25_000)
    # of 50,000 coordinates: a sample's standard deviation is off by std / √(2n), five of which are allowed
    assert abs(noise.std().item() - std) < 5 * std / math.sqrt(2 * 50_000)
    x, y = noise.T / std
    assert abs((x * y).mean()) < 5 / math.sqrt(25_000)  # a product of two standard normals has variance 1


def test_the_normal_distribution_has_its_moments():
    store = line()
    assert (len(store), store.space.shape, store.samples.dtype) == (100_000, (1,), torch.float32)
    unit = (store.samples.double().flatten() - 4) / 1.25
    assert abs(unit.mean()) < 5 / math.sqrt(100_000)
    assert abs(unit.square().mean() - 1) < 5 * math.sqrt(2 / 100_000)  # the variance of z² is 2
    assert abs(unit.pow(3).mean()) < 5 * math.sqrt(15 / 100_000)  # of z³ it is 15
    assert abs(unit.pow(4).mean() - 3) < 5 * math.sqrt(96 / 100_000)  # of z⁴ it is 105 − 9


def test_another_mean_and_width_move_and_stretch_the_same_draw():
    moved = line(1000, mean=-1.0, std=0.5).samples
    torch.testing.assert_close(moved, (line(1000).samples - 4) * 0.4 - 1, rtol=0, atol=2e-6)  # both are rounded


@pytest.mark.parametrize(
    ("store", "fingerprint"),
    [
        (lambda: grid(1000), "613b88da7f7ddaeb"),
        (lambda: line(1000), "5327e3459c54bea1"),
        (
            lambda: SOURCES["ring"](name="ring", modes=8, radius=1.0, std=0.01, num=1000, seed=0).load(),
            "bc5e9be2d44cd126",
        ),
    ],
    ids=["grid", "gaussian1d", "ring"],
)
def test_the_points_are_the_same_everywhere_and_in_every_version(store, fingerprint):
    assert store().fingerprint.startswith(fingerprint)


@pytest.mark.parametrize("draw", [grid, line])
def test_points_follow_their_seed_and_nothing_else(draw):
    torch.manual_seed(1)
    first = draw(100, seed=3)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(draw(100, seed=3).samples, first.samples)
    assert not torch.equal(draw(100, seed=4).samples, first.samples)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("draw", "wrong"),
    [
        (grid, {"side": 0}),
        (grid, {"spacing": 0.0}),
        (grid, {"std": 0.0}),
        (line, {"std": -1.0}),
        (line, {"num": 1}),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(draw: Any, wrong: dict[str, Any]):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        draw(**wrong)


def test_mixtures_are_points():
    assert SOURCES["grid"](name="grid", side=5, spacing=2.0, std=0.05, num=10, seed=0).kind is POINTS
    assert SOURCES["gaussian1d"](name="gaussian1d", mean=4.0, std=1.25, num=10, seed=0).kind is POINTS
    assert SOURCES["digits"](name="digits", resolution=32, balance=False).kind is IMAGES
