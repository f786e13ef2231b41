"""The network of colour images: what its first layer does, that it learns, and when it is taken."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganctl.data.store import Store
from ganctl.metrics import Extractor
from ganctl.metrics.features.whitened import SMALLEST, WhitenedNetwork, cycle
from tests.metrics.measured import extractor, reference, source

FOLDER = source("array", path="unused.npy")
QUICK = {"widths": [16, 32], "steps": 60, "batch_size": 64, "lr": 0.3, "weight_decay": 5e-4, "smoothing": 0.2}


def colours(count: int, side: int = 16) -> Store:
    """Return noisy images of three classes: more red on the left, on the right, or nowhere."""
    numbers = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 3
    images = torch.randint(0, 120, (count, side, side, 3), generator=numbers)
    images[labels == 0, :, : side // 2, 0] += 60
    images[labels == 1, :, side // 2 :, 2] += 60
    return Store(images.byte(), labels, ("red", "blue", "grey"))


def opened(store: Store, cache: str = "auto", **changes: Any) -> Extractor:
    return extractor("classifier", colour=QUICK | changes).open(reference(FOLDER, store, cache))


def test_its_first_layer_gives_patches_uncorrelated_components_of_one_size() -> None:
    numbers = torch.Generator().manual_seed(1)
    base = torch.randint(0, 256, (200, 8, 8, 3), generator=numbers).float()
    images = torch.nn.functional.avg_pool2d(base.permute(0, 3, 1, 2), 3, 1, 1).permute(0, 2, 3, 1).byte()
    network = WhitenedNetwork(3, 2, [8], 32)
    network.whiten(images)
    pixels = images.permute(0, 3, 1, 2).float() / 255
    weight, bias = network.patches.weight, network.patches.bias
    maps = torch.nn.functional.conv2d(pixels, weight, bias, 2)  # patches that were measured, without edges
    found = maps.permute(0, 2, 3, 1).flatten(0, 2).double()
    half = found.shape[1] // 2
    torch.testing.assert_close(found[:, half:], -found[:, :half], rtol=1e-4, atol=1e-4)
    covariance = found[:, :half].T.cov()
    variances = covariance.diag()
    assert (variances <= 1.01).all()
    assert variances.max() > 0.9
    assert (covariance - variances.diag()).abs().max() < 0.02
    assert found.mean(0).abs().max() < 1e-3
    assert SMALLEST > 0
    assert not weight.requires_grad


def test_the_rate_rises_for_a_quarter_of_the_updates_and_falls() -> None:
    rates = [cycle(step / 8) for step in range(9)]
    assert rates == pytest.approx([0.2, 0.6, 1.0, *(1 - 0.99 * step / 6 for step in range(1, 7))])


@pytest.mark.parametrize("side", [4, 5, 8, 32, 50])
def test_images_of_any_size_have_features(side: int) -> None:
    network = WhitenedNetwork(3, 2, [8, 16, 24], 32).eval()
    features, logits = network(torch.rand(2, 3, side, side))
    assert (features.shape, logits.shape) == ((2, 24), (2, 2))


def test_it_tells_colours_that_it_is_taught_and_gives_the_same_bits_again(tmp_path: Path) -> None:
    store = colours(600)
    look = opened(store, str(tmp_path))
    assert look.accuracy is not None
    assert look.accuracy > 0.9
    assert (look.dimension, look.classes) == (32, 3)
    state = torch.get_rng_state()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        again = opened(store)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)
    assert again.identity == look.identity


def test_it_is_found_again_unless_its_settings_changed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = colours(60)
    first = opened(store, str(tmp_path), steps=5)
    assert "taught" in capsys.readouterr().out
    assert opened(store, str(tmp_path), steps=5).identity == first.identity
    assert "taught" not in capsys.readouterr().out
    assert opened(store, str(tmp_path), steps=6).identity != first.identity


@pytest.mark.parametrize(("channels", "colour", "features"), [(3, QUICK, 32), (3, None, 64), (1, QUICK, 64)])
def test_it_is_taken_for_colour_images_alone(channels: int, colour: dict[str, Any] | None, features: int) -> None:
    store = colours(60)
    store = Store(store.samples[..., :channels].contiguous(), store.labels, store.classes)
    settings = {"width": 8, "steps": 2, "colour": None if colour is None else {**colour, "steps": 4}}
    look = extractor("classifier", **settings).open(reference(FOLDER, store, "auto"))
    assert look.dimension == features


def test_images_nearer_to_the_data_have_a_lower_distance() -> None:
    store = colours(600)
    look = opened(store)

    def distance(images: Tensor) -> float:
        real, fake = (look.extract(each).features.double() for each in (store.samples, images))
        return (real.mean(0) - fake.mean(0)).square().sum().item()

    noise = torch.randint(0, 256, store.samples.shape, generator=torch.Generator().manual_seed(2)).float()
    shares = [0.0, 0.25, 0.5, 1.0]
    found = [distance((store.samples * (1 - share) + noise * share).byte()) for share in shares]
    assert found == sorted(found)
    assert found[0] < found[-1] / 10
