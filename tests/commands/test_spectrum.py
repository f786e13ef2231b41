"""ganctl spectrum: what it draws and writes, beside which real images, and what it refuses."""

import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganctl import load
from ganctl.runtime.randomness import permutation
from ganctl.uses.spectra import grey, radial_power
from tests.commands.labelled import train
from tests.conftest import Cli, contents

SPECTRUM = ["spectrum", "run", "device=cpu", "num=24"]
COLUMNS = ["frequency", "real", "fake", "real_lower", "real_upper", "fake_lower", "fake_upper"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the first test trains a conditional run on images of three classes, 16 each."""
    return tmp_path_factory.mktemp("spectrum")


@pytest.fixture
def images(shared: Path, workspace: Path, cli: Cli) -> Path:
    """Work beside it."""
    if not (shared / "outputs").exists():
        train(cli, ["ant", "bee", "cat"], each=16)
        shutil.copytree(workspace, shared, dirs_exist_ok=True, symlinks=True)
    shutil.copytree(shared, workspace, dirs_exist_ok=True, symlinks=True)
    return workspace


def spectra(pixels: np.ndarray) -> np.ndarray:
    return radial_power(grey(torch.from_numpy(pixels))).numpy()


def table(cli: Cli, *words: str) -> dict[str, np.ndarray]:
    outcome = cli(*SPECTRUM, "out=s.csv", *words)
    assert (outcome.code, outcome.err) == (0, "")
    assert Path("s.csv").read_text().splitlines()[0].split(",") == COLUMNS
    return dict(zip(COLUMNS, np.loadtxt("s.csv", delimiter=",", skiprows=1).T, strict=True))


def test_the_curves_are_those_of_all_images_and_of_samples_of_their_classes(images: Path, cli: Cli) -> None:
    found = table(cli, "seed=3")
    data = np.load("labelled.npz")
    pixels = spectra(data["images"])
    assert found["frequency"].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(found["real"], pixels.mean(0), rtol=1e-7)
    np.testing.assert_allclose(found["real_lower"], np.quantile(pixels, 0.25, 0), rtol=1e-7)
    labels = np.unique(data["labels"], return_inverse=True)[1][permutation(48, "reference", 3)[:24]]
    ours = spectra(load("run", device="cpu").sample(24, seed=3, labels=labels.tolist()))
    np.testing.assert_allclose(found["fake"], ours.mean(0), rtol=1e-7)
    np.testing.assert_allclose(found["fake_upper"], np.quantile(ours, 0.75, 0), rtol=1e-7)


def test_the_line_tells_where_power_differs_most_and_how_much_real_halves_do(images: Path, cli: Cli) -> None:
    outcome = cli(*SPECTRUM, "out=s.npz")
    told = re.search(r"power fake / real: (\S+) at (\d) cycles per image", outcome.out)
    assert told is not None
    found = np.load("s.npz")
    ratios = found["fake"] / found["real"]
    place = np.abs(np.log(ratios)).argmax()
    assert (float(told[1]), float(told[2])) == (float(f"{ratios[place]:.3g}"), found["frequency"][place])
    halves = re.search(r"real / real: (\S+) at \d, of 24 and the other 24\n", outcome.out)
    assert halves is not None
    assert 1 / 1.5 < float(halves[1]) < 1.5  # of 24 images of noise


def test_a_picture_goes_to_a_folder_of_the_run_under_a_name_that_tells_what_was_asked(
    images: Path, cli: Cli
) -> None:
    for words, name in (
        (["seed=2", "class=bee", "ema=false"], "step-00000001-spectrum-seed-2-24-class-bee-raw.png"),
        (["class=[ant,2]"], "step-00000001-spectrum-seed-0-24-classes-ant+2.png"),
    ):
        outcome = cli(*SPECTRUM, *words)
        assert (outcome.code, outcome.err) == (0, "")
        assert outcome.out.endswith(f"spectra of 24 samples of step 1: outputs/run/spectra/{name}\n")
        with Image.open(f"outputs/run/spectra/{name}") as picture:
            assert picture.size == (800, 560)
    assert cli(*SPECTRUM, "out=folder").code == 0
    assert [path.name for path in Path("folder").iterdir()] == ["step-00000001-spectrum-seed-0-24.png"]


def test_a_class_is_compared_with_its_own_images(images: Path, cli: Cli) -> None:
    found = table(cli, "class=bee")
    data = np.load("labelled.npz")
    bees = spectra(data["images"][data["labels"] == "bee"])
    np.testing.assert_allclose(found["real"], bees.mean(0), rtol=1e-7)
    ours = spectra(load("run", device="cpu").sample(24, seed=0, labels="bee"))
    np.testing.assert_allclose(found["fake"], ours.mean(0), rtol=1e-7)


def test_the_same_again_gives_the_same_and_batches_change_nothing_but_roundings(images: Path, cli: Cli) -> None:
    first, again, other = table(cli), table(cli), table(cli, "batch_size=5")
    assert all(np.array_equal(first[name], again[name]) for name in COLUMNS)
    np.testing.assert_allclose(first["fake"], other["fake"], rtol=0.01)  # a byte may be rounded otherwise


def test_data_that_was_moved_is_named_where_it_lies_now(images: Path, cli: Cli) -> None:
    found = table(cli)
    shutil.move("labelled.npz", "moved.npz")
    outcome = cli(*SPECTRUM, "out=s.csv")
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    again = table(cli, "data.path=moved.npz")
    assert np.array_equal(again["real"], found["real"])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["num=7"], 2, "num: must be at least 8, not 7"),
        (["seed=-1"], 2, "seed: must be at least 0"),
        (["out=x.npy"], 2, "out: x.npy would be a file of another kind than .csv, .npz, .png; take one"),
        (["class=dog"], 2, "class: unknown class 'dog'; there are ant, bee, cat"),
        (
            ["data.range=[0,1]"],
            2,
            "data.range: cannot change, because a run is compared with the data that it was",
        ),
        (["nun=9"], 2, "nun: unknown key (did you mean 'num'?)"),
        (["metric=[fid]"], 2, "metric: unknown key here; it belongs to `ganctl evaluate`"),
        (["standing=2"], 2, "standing: the generator of this run has no batch norm; set it to 0"),
        (["out=labelled.npz/x.png"], 2, "labelled.npz/x.png: cannot be written ("),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    words: list[str], code: int, told: str, images: Path, cli: Cli
) -> None:
    before = contents(images)
    outcome = cli(*SPECTRUM, *words)
    assert (outcome.code, outcome.err.count("\n")) == (code, 1), outcome.err
    assert told in outcome.err
    assert contents(images) == before


def test_points_have_no_spectrum(trained: Path, cli: Cli) -> None:
    outcome = cli(*SPECTRUM)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "spectrum: compares images, but the data is points of 2 dimensions" in outcome.err


def test_without_matplotlib_there_are_the_numbers(images: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    outcome = cli(*SPECTRUM)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "pip install 'ganctl[plots]', or take out=spectrum.csv for the numbers" in outcome.err
    assert (table(cli)["real"] > 0).all()
