import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ganctl.data.store import Store
from ganctl.errors import ConfigError, DataError
from ganctl.metrics import METRICS, Comparison, Extractor, of_store, of_tensor
from ganctl.metrics.features.classifier import Classifier, Network, share_right, split
from ganctl.metrics.tensor_cache import digest
from tests.data.drawn import idx
from tests.metrics.measured import extractor, metric, reference, source

SHORT = {"width": 8, "steps": 60, "batch_size": 64, "lr": 0.01}
DIGITS = source("digits", resolution=16)


@pytest.fixture(scope="module")
def digits() -> Store:
    return DIGITS.load()


@pytest.fixture(scope="module")
def taught(digits: Store, tmp_path_factory: pytest.TempPathFactory) -> tuple[Extractor, str]:
    """A classifier of the digits, and the cache it is kept in."""
    cache = str(tmp_path_factory.mktemp("cache"))
    return opened(digits, cache), cache


def opened(digits: Store, cache: str, **changes: object) -> Extractor:
    return extractor("classifier", **(SHORT | changes)).open(reference(DIGITS, digits, cache))


def test_it_tells_held_out_digits_apart(taught: tuple[Extractor, str]) -> None:
    look = taught[0]
    assert look.accuracy is not None
    assert look.accuracy > 0.8
    assert (look.dimension, look.classes, look.resizer) == (64, 10, "none")
    assert look.takes is not None
    assert look.takes.shape == (1, 16, 16)
    assert look.about()["accuracy"] == look.accuracy


def test_taught_twice_it_has_the_same_bits(
    taught: tuple[Extractor, str], digits: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(77)
    state = torch.get_rng_state()
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert opened(digits, str(tmp_path)).identity == taught[0].identity
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(torch.get_rng_state(), state)
    assert "of 179 held-out images right" in capsys.readouterr().out
    assert opened(digits, str(tmp_path), steps=1).identity != taught[0].identity


def test_it_is_taught_once_and_then_found(
    taught: tuple[Extractor, str], digits: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("taught again")

    monkeypatch.setattr(Classifier, "teach", refuse)
    look, cache = taught
    again = opened(digits, cache)
    assert (again.identity, again.accuracy) == (look.identity, look.accuracy)
    assert torch.equal(again.extract(digits.samples).features, look.extract(digits.samples).features)
    for changes in ({"seed": 1}, {"steps": 61}, {"width": 9}):
        with pytest.raises(AssertionError, match="taught again"):
            opened(digits, cache, **changes)
    with pytest.raises(AssertionError, match="taught again"):
        opened(Store(digits.samples, digits.labels.flip(0), digits.classes), cache)


def test_a_damaged_classifier_is_taught_again(
    taught: tuple[Extractor, str], digits: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened(digits, str(tmp_path))
    (file,) = (tmp_path / "classifiers").iterdir()
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    assert opened(digits, str(tmp_path)).identity == taught[0].identity
    assert f"{file} is damaged" in capsys.readouterr().out


@pytest.mark.parametrize("accuracy", [math.nan, None])
def test_a_classifier_without_a_sane_accuracy_is_taught_again(
    accuracy: float | None,
    taught: tuple[Extractor, str],
    digits: Store,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened(digits, str(tmp_path))
    (file,) = (tmp_path / "classifiers").iterdir()
    with safe_open(file, "pt") as whole:
        question = whole.metadata()["answer"].split()[0]
        tensors = {name: whole.get_tensor(name) for name in whole.keys()}  # noqa: SIM118
    del tensors["accuracy"]
    if accuracy is not None:
        tensors["accuracy"] = torch.tensor(accuracy, dtype=torch.float64)
    save_file(tensors, file, {"answer": f"{question} {digest(tensors)}"})
    again = opened(digits, str(tmp_path))
    assert (again.identity, again.accuracy) == (taught[0].identity, taught[0].accuracy)
    assert f"{file} is damaged" in capsys.readouterr().out


def test_held_out_pictures_are_none_of_those_taught(digits: Store) -> None:
    taught_rows, held_out = (set(rows.tolist()) for rows in split(digits, 0))
    assert (len(taught_rows), len(held_out)) == (1618, 179)
    assert taught_rows | held_out == set(range(1797))


def test_the_share_right_is_counted() -> None:
    class Dark(Network):
        def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            dark = (pictures.mean((1, 2, 3)) < 0.5).float()
            return dark[:, None], torch.stack([1 - dark, dark], 1)

    pictures = torch.tensor([0, 255, 0, 255]).byte()[:, None, None, None].expand(-1, 8, 8, 1)
    store = Store(pictures, torch.tensor([1, 0, 1, 1]), ("a", "b"))
    assert share_right(Dark(1, 2, 1, 8), store.samples.split(3), store.labels) == 0.75
    assert share_right(Dark(1, 2, 1, 8), [store.samples[2:]], store.labels[2:]) == 0.5


def test_larger_pictures_are_resized_which_is_stated(digits: Store) -> None:
    look = opened(digits, "auto", side=8, steps=1)
    assert look.resizer == "bilinear, antialiased, to 8 pixels"


def test_pictures_of_another_shape_are_refused_in_one_line(taught: tuple[Extractor, str], digits: Store) -> None:
    real = of_store(digits, DIGITS)
    colour = of_tensor(digits.samples.repeat(1, 1, 1, 3))
    with pytest.raises(ConfigError) as refused:
        Comparison({"fid": metric("fid")}, taught[0], real).check(colour)
    assert str(refused.value) == (
        "metric/features: classifier was made for samples of 16×16 pixels in 1 channel, not of 16×16 pixels in "
        "3 channels; measure what was trained on the same data"
    )


def test_data_that_cannot_teach_it_is_refused_in_one_line(digits: Store) -> None:
    ring = source("ring", num=100)
    with pytest.raises(ConfigError, match=r"classifier looks at images, but the data is points of 2 dimensions"):
        extractor("classifier").open(reference(ring, ring.load()))
    with pytest.raises(
        DataError, match=r"classifier is taught by labels, and this data has none; give each class"
    ):
        extractor("classifier").open(reference(DIGITS, Store(digits.samples)))
    alike = Store(digits.samples, torch.zeros(len(digits), dtype=torch.int64), ("0",))
    with pytest.raises(
        DataError, match=r"classifier is taught by labels, and this data has the same for all; give"
    ):
        extractor("classifier").open(reference(DIGITS, alike))
    few = Store(digits.samples[:9], digits.labels[:9], digits.classes)
    with pytest.raises(DataError, match=r"9 labelled images are too few"):
        extractor("classifier").open(reference(DIGITS, few))


def test_the_floor_is_small_beside_a_distance_that_matters(taught: tuple[Extractor, str], digits: Store) -> None:
    comparison = Comparison({"fid": metric("fid")}, taught[0], of_store(digits, DIGITS))
    floor = comparison.baseline(10_000, 0)
    zeros_only = digits.samples[digits.labels == 0].repeat(5, 1, 1, 1)
    collapsed = comparison.numbers(of_tensor(zeros_only), 0)
    assert (floor.count, floor.others) == (898, 899)
    assert 0 < floor.numbers["fid"]["fid"] < collapsed["fid"]["fid"] / 20


def test_stacked_digits_are_judged_channel_by_channel(tmp_path: Path, digits: Store) -> None:
    grey = torch.nn.functional.pad(digits.samples[..., 0], (6, 6, 6, 6)).numpy()
    for name, array in (("images-idx3", grey), ("labels-idx1", digits.labels.numpy().astype(np.uint8))):
        (tmp_path / f"train-{name}-ubyte").write_bytes(idx(array))
    stacked = source("stacked_mnist", root=str(tmp_path), download=False, resolution=28, num=500)
    store = stacked.load()
    look = extractor("classifier", **SHORT).open(reference(stacked, store))
    assert look.takes is not None
    assert (look.classes, look.dimension, look.takes.shape) == (1000, 3 * 64, (3, 28, 28))
    seen = look.extract(store.samples)
    assert seen.features.shape == (500, 192)
    assert look.accuracy is not None
    right = (seen.logits.argmax(1) == store.labels).float().mean().item()
    assert right > look.accuracy**3 - 0.15
    torch.testing.assert_close(seen.logits.exp().sum(1), torch.ones(500), rtol=1e-4, atol=1e-4)
    single = look.extract(store.samples[:1]).features
    torch.testing.assert_close(single, seen.features[:1], rtol=1e-4, atol=1e-5)


OTHER_DATA = ("mixture_modes", "transitions")


def test_every_metric_of_pictures_prefers_the_data_to_noise(taught: tuple[Extractor, str], digits: Store) -> None:
    small = {
        "kid": {"subsets": 3, "size": 400},
        "sliced_wasserstein": {"num": 300, "patches": 16, "directions": 16},
        "ms_ssim": {"pairs": 200},
        "cas": {"steps": 100},
    }
    metrics = {name: metric(name, **small.get(name, {})) for name in METRICS if name not in OTHER_DATA}
    comparison = Comparison(metrics, taught[0], of_store(digits, DIGITS))
    good = comparison.baseline(800, 0).numbers
    noise = torch.randint(0, 256, (800, 16, 16, 1), generator=torch.Generator().manual_seed(0)).byte()
    bad = comparison.numbers(replace(of_tensor(noise), labels=torch.arange(800) % 10), 0)
    for name, each in metrics.items():
        assert all(math.isfinite(number) for number in (good[name] | bad[name]).values()), name
        better, worse = good[name][each.value], bad[name][each.value]
        if each.better is not None:
            assert better < worse if each.better == "lower" else better > worse, name
    assert bad["ms_ssim"]["ms_ssim_real"] > bad["ms_ssim"]["ms_ssim"]
    assert bad["nearest_neighbour"]["copies"] < 0.05
