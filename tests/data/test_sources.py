import math
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from pydantic import ValidationError
from sklearn.datasets import load_digits

from ganctl.data.sources import SOURCES
from ganctl.data.store import Store
from tests.data.drawn import idx, plain, write

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "data"


def digits(resolution: int) -> Store:
    return SOURCES["digits"](name="digits", resolution=resolution, balance=False).load()


def mnist(folder: Path, resolution: int, pixels: np.ndarray, split: str = "train") -> Store:
    prefix = {"train": "train", "test": "t10k"}[split]
    labels = np.arange(len(pixels), dtype=np.uint8) % 10
    for name, array in ((f"{prefix}-images-idx3-ubyte", pixels), (f"{prefix}-labels-idx1-ubyte", labels)):
        (folder / name).write_bytes(idx(array))
    values = {"root": str(folder), "split": split, "download": False, "resolution": resolution, "balance": False}
    return SOURCES["mnist"](name="mnist", **values).load()


def ring(num: int = 8000, *, modes: int = 8, radius: float = 1.0, std: float = 0.01, seed: int = 0) -> Store:
    return SOURCES["ring"](name="ring", modes=modes, radius=radius, std=std, num=num, seed=seed).load()


def centres(modes: int, radius: float = 1.0) -> torch.Tensor:
    angles = [2 * math.pi * mode / modes for mode in range(modes)]
    return radius * torch.tensor([[math.cos(angle), math.sin(angle)] for angle in angles])


def bicubic_weights(size: int, factor: int) -> np.ndarray:
    """The matrix [factor·size, size] that enlarges a row by Keys' cubic with a = −0.5, cut off at the edges."""
    at = (np.arange(size * factor) + 0.5) / factor - 0.5
    distance = np.abs(at[:, None] - np.arange(size))
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return weights / weights.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, (4, 28, 28), np.uint8)


@pytest.mark.parametrize("name", list(SOURCES))
def test_the_config_of_a_source_has_exactly_its_keys(name):
    values = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text(encoding="utf-8"))
    assert values.keys() == SOURCES[name].model_fields.keys()
    assert SOURCES[name](**(values | {"path": "p"} if "path" in values else values)).name == name


@pytest.mark.parametrize("resolution", [7, 1025])
def test_a_resolution_out_of_range_is_refused(resolution):
    with pytest.raises(ValidationError, match="resolution"):
        digits(resolution)


def test_the_digits_are_all_there_with_their_labels():
    store = digits(32)
    assert len(store) == 1797
    assert store.space.shape == (1, 32, 32)
    assert store.samples.dtype == torch.uint8
    assert store.classes == tuple("0123456789")
    assert store.labels.dtype == torch.int64
    np.testing.assert_array_equal(store.labels.numpy(), load_digits().target)
    assert set(store.labels.tolist()) == set(range(10))


def test_digits_of_8_pixels_are_those_of_scikit_learn():
    expected = np.round(load_digits().images * 255 / 16)
    np.testing.assert_array_equal(digits(8).samples[..., 0].numpy(), expected)


def test_larger_digits_are_interpolated_before_they_are_rounded():
    weights = bicubic_weights(8, 4)
    exact = (weights @ (load_digits().images * 255 / 16) @ weights.T).clip(0, 255)
    assert (
        np.abs(digits(32).samples[..., 0].numpy() - exact).max() <= 0.5 + 1e-3
    )  # rounding, and float32 before it


def test_mnist_of_28_pixels_is_as_it_is(tmp_path, pixels):
    store = mnist(tmp_path, 28, pixels)
    np.testing.assert_array_equal(store.samples[..., 0].numpy(), pixels)
    assert store.labels.tolist() == [0, 1, 2, 3]
    assert store.labels.dtype == torch.int64
    assert store.classes == tuple("0123456789")


@pytest.mark.parametrize(("resolution", "before"), [(32, 2), (31, 1), (30, 1), (29, 0)])
def test_mnist_up_to_32_pixels_gets_a_black_border(tmp_path, pixels, resolution, before):
    samples = mnist(tmp_path, resolution, pixels).samples[..., 0].numpy()
    assert samples.shape == (4, resolution, resolution)
    centre = np.s_[:, before : before + 28, before : before + 28]
    np.testing.assert_array_equal(samples[centre], pixels)
    border = samples.copy()
    border[centre] = 0
    assert not border.any()


@pytest.mark.parametrize("resolution", [64, 33, 16])
def test_mnist_of_other_sizes_is_resized(tmp_path, resolution):
    halves = np.zeros((2, 28, 28), np.uint8)
    halves[0, :, 14:], halves[1] = 255, 77
    store = mnist(tmp_path, resolution, halves)
    assert store.space.shape == (1, resolution, resolution)
    left_to_right, flat = store.samples[..., 0].numpy()
    edge = resolution // 2 - 5 * resolution // 28  # well off the step, where the interpolation rings
    assert not left_to_right[:, :edge].any()
    assert (left_to_right[:, -edge:] == 255).all()
    assert (flat == 77).all()


def test_mnist_enlarged_is_bicubic(tmp_path, pixels):
    weights = bicubic_weights(28, 2)
    exact = (weights @ (pixels @ weights.T).clip(0, 255)).clip(0, 255)
    rounding = 0.5 * np.abs(weights).sum(1).max() + 0.5 + 0.01  # after the first pass and the second; fixed point
    assert np.abs(mnist(tmp_path, 56, pixels).samples[..., 0].numpy() - exact).max() <= rounding


def test_mnists_splits_are_told_apart(tmp_path, pixels):
    train, test = mnist(tmp_path, 28, pixels), mnist(tmp_path, 28, 255 - pixels, "test")
    np.testing.assert_array_equal(train.samples.numpy(), 255 - test.samples.numpy())


def test_the_samples_of_mnist_are_their_own_memory(tmp_path, pixels):
    store = mnist(tmp_path, 28, pixels)
    store.samples.zero_()
    np.testing.assert_array_equal(mnist(tmp_path, 28, pixels).samples[..., 0].numpy(), pixels)


def test_a_folder_is_read_as_its_keys_say(tmp_path):
    bright, dark = plain((255, 255, 255), (12, 8)), plain((0, 0, 0), (12, 8))
    root = write(tmp_path, {"in/a/1.png": bright, "in/b/2.png": dark, "in/b/3.png": b"", "out/4.png": bright})
    values = {"name": "folder", "path": str(root), "subfolder": "in", "resolution": 16, "channels": 1}
    values |= {"range": None, "frames": "first", "balance": False}
    store = SOURCES["folder"](**values, fit="squash", max_bad_fraction=0.5, workers=1, cache=None).load()
    assert store.space.shape == (1, 16, 16)
    assert store.samples.flatten(1).double().mean(1).tolist() == [255, 0]
    assert (store.classes, store.labels.tolist(), store.skipped) == (("a", "b"), [0, 1], 1)


def test_the_ring_has_its_modes_in_equal_shares():
    store = ring()
    assert (len(store), store.space.shape, store.samples.dtype) == (8000, (2,), torch.float32)
    assert torch.bincount(store.labels).tolist() == [1000] * 8
    assert torch.bincount(ring(10).labels).tolist() == [2, 2, 1, 1, 1, 1, 1, 1]
    assert store.classes == tuple("01234567")


@pytest.mark.parametrize(("radius", "std"), [(1.0, 0.01), (3.0, 0.2)])
def test_the_rings_modes_lie_on_the_circle(radius, std):
    store = ring(radius=radius, std=std)
    means = torch.stack([store.samples[store.labels == mode].mean(0) for mode in range(8)])
    standard_error = std / math.sqrt(1000)
    assert (means - centres(8, radius)).abs().max() < 5 * standard_error
    # of 16,000 coordinates: a sample's standard deviation is off by std / √(2n), five of which are allowed
    spread = (store.samples - centres(8, radius)[store.labels]).std().item()
    assert abs(spread - std) < 5 * std / math.sqrt(2 * 16_000)


def test_the_rings_noise_has_no_direction():
    store = ring()
    x, y = (store.samples - centres(8)[store.labels]).double().T / 0.01
    assert abs((x * y).mean()) < 5 / math.sqrt(8000)  # a product of two standard normals has variance 1
    assert abs(x.var() - y.var()) < 5 * math.sqrt(4 / 8000)  # each variance has variance 2 / n


def test_the_ring_follows_its_seed_and_nothing_else():
    torch.manual_seed(1)
    first = ring(seed=3)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    assert torch.equal(ring(seed=3).samples, first.samples)
    assert not torch.equal(ring(seed=4).samples, first.samples)
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)
