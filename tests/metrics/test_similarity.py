import numpy as np
import pytest
import scipy.ndimage
import torch

from ganctl.errors import ConfigError
from ganctl.metrics.similarity import WEIGHTS, similarity
from tests.metrics.measured import computed, metric, normal


def pictures(count: int, side: int, seed: int, channels: int = 1) -> torch.Tensor:
    draw = torch.randint(0, 256, (count, side, side, channels), generator=torch.Generator().manual_seed(seed))
    return draw.byte()


def window() -> np.ndarray:
    line = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    return np.outer(line, line) / line.sum() ** 2


def reference(first: np.ndarray, second: np.ndarray, scales: int) -> float:
    """MS-SSIM of two grey pictures by SciPy's convolution."""
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    small, large = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = 1.0
    for scale in range(scales):
        blur = [
            scipy.ndimage.convolve(p, window())[5:-5, 5:-5]
            for p in (first, second, first**2, second**2, first * second)
        ]
        structure = (2 * (blur[4] - blur[0] * blur[1]) + large) / (
            blur[2] - blur[0] ** 2 + blur[3] - blur[1] ** 2 + large
        )
        light = (2 * blur[0] * blur[1] + small) / (blur[0] ** 2 + blur[1] ** 2 + small)
        value = (light * structure if scale == scales - 1 else structure).mean()
        found *= max(value, 0) ** weights[scale]
        if scale < scales - 1:
            first, second = (p.reshape(len(p) // 2, 2, len(p) // 2, 2).mean((1, 3)) for p in (first, second))
    return found


@pytest.mark.parametrize(("side", "scales"), [(16, 1), (32, 2), (176, 5)])
def test_it_is_scipys(side: int, scales: int) -> None:
    first = scipy.ndimage.gaussian_filter(pictures(1, side, 0)[0, :, :, 0].numpy().astype(float), 3) * 2
    second = first + 4 * normal(side, side, 1).double().numpy()
    found = similarity(*(torch.from_numpy(p)[None, None] for p in (first, second)))
    assert found.item() == pytest.approx(reference(first, second, scales), rel=1e-9)
    assert 0.2 < found.item() < 0.999


def test_alike_is_one_and_inverted_is_none() -> None:
    picture = pictures(1, 32, 0, 3).permute(0, 3, 1, 2).float()
    assert similarity(picture, picture).item() == pytest.approx(1, abs=1e-6)
    assert similarity(picture, 255 - picture).item() == 0


def test_a_collapsed_generator_is_more_alike_than_the_data() -> None:
    real, collapsed = pictures(100, 16, 0), pictures(1, 16, 1).repeat(100, 1, 1, 1)
    found = computed(metric("ms_ssim"), real, collapsed)
    assert found["ms_ssim"] == pytest.approx(1, abs=1e-5)
    assert found["ms_ssim_real"] < 0.2


def test_pairs_do_not_depend_on_how_samples_are_chunked() -> None:
    real = pictures(300, 16, 0)
    pairs = similarity(*(side.permute(0, 3, 1, 2).float() for side in (real[0:100:2], real[1:100:2])))
    assert computed(metric("ms_ssim", pairs=50), real, real)["ms_ssim"] == pytest.approx(
        pairs.mean().item(), rel=1e-6
    )


def test_points_are_refused() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^metric.ms_ssim: compares images, but the data is points of 2 dimensions; leave it out",
    ):
        computed(metric("ms_ssim"), normal(10, 2, 0), normal(10, 2, 1))
