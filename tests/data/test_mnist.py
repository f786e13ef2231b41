from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ganctl.data.sources import SOURCES
from ganctl.data.sources import download as downloading
from ganctl.data.store import Store
from ganctl.errors import DataError
from tests.conftest import Cli
from tests.data.drawn import idx

SHADES = np.arange(10, 250, 12, dtype=np.uint8)
PIXELS = np.broadcast_to(SHADES[:, None, None], (20, 28, 28)).copy()
LABELS = np.arange(20, dtype=np.uint8) % 10


def torchvision(**sets: object) -> Callable[[], SimpleNamespace]:
    return lambda: SimpleNamespace(datasets=SimpleNamespace(**sets))


def put(folder: Path, pixels: np.ndarray = PIXELS, prefix: str = "train") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in ((f"{prefix}-images-idx3-ubyte", pixels), (f"{prefix}-labels-idx1-ubyte", LABELS)):
        (folder / name).write_bytes(idx(array))
    return folder


def fashion(root: Path, resolution: int = 28) -> Store:
    values = {"root": str(root), "split": "train", "download": False, "resolution": resolution, "balance": False}
    return SOURCES["fashion_mnist"](name="fashion_mnist", **values).load()


def stacked(root: Path, num: int = 500, *, split: str = "train", resolution: int = 28, seed: int = 0) -> Store:
    values = {"root": str(root), "split": split, "download": False, "resolution": resolution}
    return SOURCES["stacked_mnist"](name="stacked_mnist", **values, num=num, seed=seed).load()


@pytest.mark.parametrize("inner", ["FashionMNIST/raw", ""])
def test_clothes_are_read_like_digits_and_called_by_their_names(tmp_path, inner):
    put(tmp_path / inner)
    store = fashion(tmp_path)
    np.testing.assert_array_equal(store.samples[..., 0].numpy(), PIXELS)
    assert store.labels.tolist() == LABELS.tolist()
    assert (store.classes[0], store.classes[9], len(store.classes)) == ("T-shirt/top", "Ankle boot", 10)
    assert fashion(tmp_path, 32).space.shape == (1, 32, 32)


def test_the_names_of_the_clothes_are_torchvisions(tmp_path):
    from torchvision.datasets import FashionMNIST

    put(tmp_path)
    assert fashion(tmp_path).classes == tuple(FashionMNIST.classes)


def test_clothes_lie_beside_digits_in_one_root(tmp_path):
    put(tmp_path / "MNIST/raw", 255 - PIXELS)
    with pytest.raises(DataError, match="FashionMNIST"):
        fashion(tmp_path)
    put(tmp_path / "FashionMNIST/raw")
    np.testing.assert_array_equal(fashion(tmp_path).samples[..., 0].numpy(), PIXELS)


def test_clothes_are_downloaded_as_what_they_are(tmp_path, monkeypatch):
    def fetch(root, download):
        put(Path(root) / "FashionMNIST/raw")

    datasets = SimpleNamespace(FashionMNIST=fetch)
    monkeypatch.setattr(downloading, "import_torchvision", lambda: SimpleNamespace(datasets=datasets))
    values = {"root": str(tmp_path), "split": "train", "download": True, "resolution": 28, "balance": False}
    assert len(SOURCES["fashion_mnist"](name="fashion_mnist", **values).load()) == 20
    assert [path.name for path in tmp_path.iterdir()] == ["FashionMNIST"]


def test_a_failed_download_names_what_could_not_be_downloaded(tmp_path, monkeypatch):
    def fail(root, download):
        raise ConnectionError("no route")

    monkeypatch.setattr(downloading, "import_torchvision", torchvision(FashionMNIST=fail))
    values = {"root": str(tmp_path), "split": "test", "download": True, "resolution": 28, "balance": False}
    with pytest.raises(DataError) as refused:
        SOURCES["fashion_mnist"](name="fashion_mnist", **values).load()
    assert str(refused.value).startswith(
        "data.root: FashionMNIST could not be downloaded (no route); put its four"
    )
    assert str(tmp_path / "FashionMNIST/raw") in str(refused.value)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("fashion_mnist", "in nowhere/FashionMNIST/raw or nowhere; put FashionMNIST's files there"),
        ("stacked_mnist", "in nowhere/MNIST/raw or nowhere; put MNIST's files there"),
    ],
)
def test_the_command_line_answers_with_one_line_and_3(source: str, told: str, workspace: Path, cli: Cli):
    outcome = cli("train", f"data={source}", "data.root=nowhere", "data.download=false")
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert outcome.err.startswith(f"ganctl: data.root: no train-images-idx3-ubyte {told}")


def test_a_stack_holds_three_digits_of_its_label(tmp_path):
    store = stacked(put(tmp_path))
    assert (len(store), store.space.shape, store.samples.dtype) == (500, (3, 28, 28), torch.uint8)
    assert store.samples.is_contiguous()
    assert store.classes[:2] + store.classes[-1:] == ("000", "001", "999")
    assert len(store.classes) == 1000
    shades = store.samples[:, 14, 14].numpy()
    digits = LABELS[np.searchsorted(SHADES, shades)]
    np.testing.assert_array_equal(store.labels.numpy(), digits.astype(int) @ [100, 10, 1])
    assert (store.samples == store.samples[:, :1, :1]).all()


def test_the_digits_of_a_stack_are_drawn_evenly_and_apart(tmp_path):
    shades = stacked(put(tmp_path), 20_000).samples[:, 0, 0].numpy()
    chosen = np.searchsorted(SHADES, shades)
    for channel in chosen.T:
        counts = np.bincount(channel, minlength=20)
        assert np.abs(counts - 1000).max() < 5 * np.sqrt(20_000 * 0.05 * 0.95)
    assert np.abs(np.corrcoef(chosen.T) - np.eye(3)).max() < 5 / np.sqrt(20_000)


def test_stacks_follow_their_seed_and_split(tmp_path):
    put(tmp_path)
    put(tmp_path, prefix="t10k")
    state = torch.get_rng_state()
    first = stacked(tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    assert stacked(tmp_path).fingerprint == first.fingerprint
    assert stacked(tmp_path, seed=1).fingerprint != first.fingerprint
    assert stacked(tmp_path, split="test").fingerprint != first.fingerprint
    assert torch.equal(stacked(tmp_path, 100).labels, first.labels[:100])


def test_the_draw_of_the_stacks_is_the_same_in_every_version(tmp_path):
    assert stacked(put(tmp_path)).labels[:6].tolist() == [126, 144, 160, 345, 147, 846]


@pytest.mark.parametrize(("resolution", "border"), [(32, 2), (28, 0)])
def test_stacks_are_sized_as_mnist_is(tmp_path, resolution, border):
    samples = stacked(put(tmp_path), 10, resolution=resolution).samples.numpy()
    assert samples.shape == (10, resolution, resolution, 3)
    assert samples[:, border : resolution - border, border : resolution - border].min() >= 10
    samples[:, border : resolution - border, border : resolution - border] = 0
    assert not samples.any()
