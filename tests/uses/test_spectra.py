"""Spectra against Parseval's theorem, white noise, and images whose frequencies are known."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ganctl.uses.spectra import Spectrum, frequencies, grey, largest_ratio, radial_power


def wave(height: int, width: int, down: int, across: int, amplitude: float = 0.25, mean: float = 0.5) -> Tensor:
    """Return one image of a cosine of so many cycles down and across, float64 [1, height, width]."""
    y, x = torch.arange(height, dtype=torch.float64) / height, torch.arange(width, dtype=torch.float64) / width
    return (mean + amplitude * torch.cos(2 * math.pi * (down * y[:, None] + across * x) + 0.3))[None]


def noise(count: int, side: int, seed: int = 0) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(count, side, side, generator=source, dtype=torch.float64)


def coefficients(height: int, width: int) -> np.ndarray:
    """Return how many coefficients lie in each ring, counted one by one."""
    short, counts = min(height, width), np.zeros(min(height, width) // 2 + 1, int)
    for down in range(height):
        for across in range(width):
            v, u = min(down, height - down) / height, min(across, width - across) / width
            ring = round(math.hypot(u, v) * short)
            if ring < len(counts):
                counts[ring] += 1
    return counts[1:]


@pytest.mark.parametrize(
    ("size", "cycles", "ring"),
    [
        ((32, 32), (0, 6), 6),
        ((32, 32), (3, 4), 5),
        ((32, 32), (-5, 12), 13),
        ((32, 64), (0, 8), 4),
        ((24, 16), (9, 0), 6),
    ],
)
def test_a_cosine_has_its_power_at_its_frequency(size, cycles, ring) -> None:
    (found,) = radial_power(wave(*size, *cycles)).numpy()
    assert frequencies(*size)[found.argmax()] == ring
    # All coefficients together have the variance A²/2. The window spreads it over those next to the cosine's two.
    whole = found * coefficients(*size)
    assert whole.sum() == pytest.approx(0.25**2 / 2, rel=1e-9)
    assert whole[max(0, ring - 3) : ring + 2].sum() == pytest.approx(0.25**2 / 2, rel=1e-9)


def test_the_mean_of_an_image_has_no_power() -> None:
    dark, light = radial_power(torch.cat([wave(16, 16, 2, 3, mean=0.0), wave(16, 16, 2, 3, mean=9.0)]))
    assert torch.allclose(dark, light, rtol=1e-9, atol=1e-20)
    assert radial_power(torch.full((1, 16, 16), 0.7, dtype=torch.float64)).max() < 1e-30


def test_white_noise_is_flat_at_its_variance_a_pixel() -> None:
    side, deviation = 32, 0.1
    found = radial_power(noise(2000, side) * deviation).mean(0).numpy()
    # Half of a ring's 8 coefficients or more are free, so that its mean over 2,000 images varies by 1.1 % or less.
    assert found[1:] == pytest.approx(deviation**2 / side**2, rel=0.045)
    # With the mean goes the window's share in the lowest frequency: 1/9 of four coefficients, 1/36 of four.
    assert found[0] == pytest.approx(deviation**2 / side**2 * (1 - (1 / 9 + 1 / 36) / 2), rel=0.045)


def test_a_jump_between_opposite_borders_leaves_high_frequencies_alone() -> None:
    ramp = torch.linspace(0, 1, 64, dtype=torch.float64).expand(1, 64, 64)
    (found,) = radial_power(ramp)
    unwindowed = torch.fft.fft2(ramp)[0, 0, 1:33].abs().square() / 64**4
    assert found[20] / found[0] < 1e-6
    assert unwindowed[20] / unwindowed[0] > 1e-3


def test_blurred_images_lose_high_frequencies_and_keep_low_ones() -> None:
    sharp = noise(64, 32)
    kernel = torch.tensor([1, 2, 1], dtype=torch.float64) / 4
    blurred = torch.nn.functional.conv2d(sharp[:, None], torch.outer(kernel, kernel)[None, None], padding=1)[:, 0]
    before, after = (radial_power(each).mean(0).numpy() for each in (sharp, blurred))
    assert after[0] == pytest.approx(before[0], rel=0.1)
    ratio, place = largest_ratio(after, before)
    assert ratio < 0.05
    assert frequencies(32, 32)[place] >= 14


def test_two_halves_of_a_set_differ_little() -> None:
    found = radial_power(noise(2000, 16)).numpy()
    ratio, _ = largest_ratio(found[:1000].mean(0), found[1000:].mean(0))
    assert 0.8 < ratio < 1.25
    assert ratio != 1


def test_grey_weighs_colours_and_lays_alpha_over_white() -> None:
    colours = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]], dtype=torch.uint8)
    assert grey(colours.view(1, 2, 2, 3)).flatten().tolist() == pytest.approx([0.299, 0.587, 0.114, 1])
    clear = torch.tensor([0, 0, 0, 0], dtype=torch.uint8).view(1, 1, 1, 4)
    assert grey(clear).item() == pytest.approx(1)
    assert grey(torch.tensor([51], dtype=torch.uint8).view(1, 1, 1, 1)).item() == pytest.approx(0.2)


def test_a_set_has_the_mean_and_the_quartiles_of_its_images() -> None:
    found = Spectrum.of(np.arange(10.0).reshape(5, 2))
    assert found.mean.tolist() == [4, 5]
    assert (found.lower.tolist(), found.upper.tolist()) == ([2, 3], [6, 7])


@pytest.mark.parametrize(
    ("power", "reference", "ratio", "place"),
    [
        ([1, 3, 1], [1, 1, 1], 3, 1),
        ([2, 1, 1], [1, 1, 4], 0.25, 2),
        ([0, 1], [0, 2], 0.5, 1),
        ([0, 1], [1, 2], 0, 0),
        ([1, 1], [0, 2], math.inf, 0),
    ],
)
def test_the_largest_ratio_is_the_farthest_from_1_as_a_factor(power, reference, ratio, place) -> None:
    assert largest_ratio(np.array(power, float), np.array(reference, float)) == (ratio, place)
