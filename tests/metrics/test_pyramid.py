import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from scipy.stats import wasserstein_distance

from ganctl.metrics.pyramid import larger, level_sides, pyramid_level, sliced_distance, smaller
from tests.metrics.measured import computed, metric, normal

KERNEL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


def pictures(count: int, side: int, seed: int, channels: int = 3) -> torch.Tensor:
    draw = torch.randint(0, 256, (count, side, side, channels), generator=torch.Generator().manual_seed(seed))
    return draw.byte()


def test_on_a_line_it_is_the_distance_of_sorted_points() -> None:
    real, generated = normal(500, 1, 0), normal(500, 1, 1, mean=2.0, std=3.0)
    expected = wasserstein_distance(real.flatten().double(), generated.flatten().double())
    assert computed(metric("sliced_wasserstein"), real, generated)["swd"] == pytest.approx(expected, rel=1e-9)


def test_a_shift_of_points_is_projected_by_the_mean_cosine() -> None:
    real = normal(400, 2, 0)
    found = computed(metric("sliced_wasserstein", directions=4000), real, real + torch.tensor([3.0, 4.0]))
    assert found["swd"] == pytest.approx(5 * 2 / math.pi, rel=0.03)  # E|cos| of a random direction in the plane
    assert sliced_distance(real, real, 10, 0) == 0


def test_levels_halve_down_to_sixteen_pixels() -> None:
    assert level_sides((3, 64, 64)) == [64, 32, 16]
    assert level_sides((1, 28, 28)) == [28]
    assert level_sides((1, 8, 8)) == [8]


def test_blurring_and_both_resizings_are_scipys() -> None:
    picture = normal(32, 32, 0).double()
    blurred = scipy.ndimage.convolve(picture.numpy(), KERNEL, mode="mirror")
    np.testing.assert_allclose(smaller(picture[None, None])[0, 0], blurred[::2, ::2], atol=1e-12)
    spread = np.zeros((64, 64))
    spread[::2, ::2] = 4 * picture
    wanted = scipy.ndimage.convolve(spread, KERNEL, mode="mirror")
    np.testing.assert_allclose(larger(picture[None, None])[0, 0], wanted, atol=1e-12)


def test_the_levels_together_give_the_picture_back() -> None:
    picture = normal(64, 64, 0).double()[None, None]
    rebuilt = pyramid_level(picture, 2)
    for level in (1, 0):
        rebuilt = larger(rebuilt) + pyramid_level(picture, level)
    torch.testing.assert_close(rebuilt, picture)


def test_equal_pictures_are_near_and_blurred_ones_far_at_the_finest_level() -> None:
    few = {"num": 200, "patches": 16, "directions": 32}
    real, same = pictures(200, 32, 0), pictures(200, 32, 1)
    near = computed(metric("sliced_wasserstein", **few), real, same)
    assert set(near) == {"swd", "swd_32", "swd_16"}
    assert near["swd"] == pytest.approx((near["swd_32"] + near["swd_16"]) / 2)
    softened = torch.nn.functional.avg_pool2d(same.permute(0, 3, 1, 2).float(), 3, 1, 1).permute(0, 2, 3, 1).byte()
    far = computed(metric("sliced_wasserstein", **few), real, softened)
    assert far["swd_32"] > 2 * near["swd_32"]


def test_it_follows_the_seed() -> None:
    few = {"num": 20, "patches": 4, "directions": 8}
    sides = pictures(20, 16, 0, 1), pictures(20, 16, 1, 1)
    first, same, other = (computed(metric("sliced_wasserstein", **few), *sides, seed=seed) for seed in (0, 0, 1))
    assert first == same
    assert first != other
