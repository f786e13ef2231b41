import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from scipy.stats import wasserstein_distance

from ganctl.metrics.pyramid import larger, level_sides, pyramid_level, sliced_distance, smaller
from ganctl.runtime.randomness import generator
from tests.metrics.measured import CPU, computed, metric, normal

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


def laplacian(picture: np.ndarray, level: int) -> np.ndarray:
    """A level of one channel's pyramid, of 32 pixels and of 16, by SciPy."""
    coarse = scipy.ndimage.convolve(picture, KERNEL, mode="mirror")[::2, ::2]
    if level == 1:
        return coarse
    spread = np.zeros_like(picture)
    spread[::2, ::2] = 4 * coarse
    return picture - scipy.ndimage.convolve(spread, KERNEL, mode="mirror")


def descriptors(several: torch.Tensor, level: int, patches: int, seed: int, name: str) -> np.ndarray:
    """Patches of a level at random places, normalised, [number · patches, 3 · 49] (Karras et al. 2018)."""
    draws = generator(CPU, "sliced_wasserstein", seed, level, name)
    places = [
        torch.randint((32 >> level) - 7 + 1, (len(several), patches), generator=draws).numpy() for _ in range(2)
    ]
    found = np.empty((len(several), patches, 3, 7, 7))
    for number, picture in enumerate(several.double().numpy()):
        for channel in range(3):
            plane = laplacian(picture[..., channel], level)
            for patch in range(patches):
                top, left = (axis[number, patch] for axis in places)
                found[number, patch, channel] = plane[top : top + 7, left : left + 7]
    found -= found.mean((0, 1, 3, 4), keepdims=True)
    found /= found.std((0, 1, 3, 4), keepdims=True)
    return found.reshape(len(several) * patches, -1)


def test_of_pictures_it_is_what_numpy_and_scipy_find_level_by_level() -> None:
    real, generated = pictures(12, 32, 0), pictures(12, 32, 1) // 2
    found = computed(metric("sliced_wasserstein", num=12, patches=5, directions=16), real, generated, seed=3)
    directions = torch.randn(147, 16, generator=generator(CPU, "directions", 3), dtype=torch.float64).numpy()
    directions /= np.linalg.norm(directions, axis=0)
    for level, side in enumerate((32, 16)):
        ours, theirs = (
            descriptors(each, level, 5, 3, name) @ directions
            for name, each in (("real", real), ("generated", generated))
        )
        expected = np.mean([wasserstein_distance(*pair) for pair in zip(ours.T, theirs.T, strict=True)])
        assert found[f"swd_{side}"] == pytest.approx(1000 * expected, rel=1e-4)
