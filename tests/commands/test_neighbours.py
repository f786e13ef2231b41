"""ganctl neighbours: the real samples beside generated ones, what is told of them, and what is refused."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganctl.cli import main
from ganctl.images.png import GAP, LEAST, LINE
from ganctl.runs.generator import TrainedGenerator
from tests.commands.labelled import save_labelled, words_of
from tests.conftest import TINY, Cli

CPU = ["device=cpu", "device.precision=fp32"]
NEIGHBOURS = ["neighbours", "run", *CPU]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a conditional run on images and their data, and a run on points."""
    folder = tmp_path_factory.mktemp("both")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_labelled(["ant", "bee", "cat"], each=10)
        assert main(["train", *words_of()]) == 0
        assert main(["train", *TINY, "name=points"]) == 0
    return folder


@pytest.fixture
def there(workspace: Path, both: Path) -> Path:
    """Work in a copy of this folder."""
    shutil.copytree(both, workspace, symlinks=True, dirs_exist_ok=True)
    return workspace


def done(cli: Cli, *words: str) -> str:
    outcome = cli(*words)
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out


def table(path: str | Path) -> np.ndarray:
    """Return sample, seed, rank, place and distance of each line."""
    with Path(path).open() as file:
        head, *lines = csv.reader(file)
    assert head == ["sample", "seed", "rank", "real", "distance"]
    return np.array(lines, float)


def real_images() -> np.ndarray:
    found: np.ndarray = np.load("labelled.npz")["images"]
    return found


def brute_force(samples: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    ours, theirs = (each.reshape(len(each), -1).astype(float) / 255 for each in (samples, real_images()))
    distances = np.linalg.norm(ours[:, None] - theirs, axis=2)
    order = distances.argsort(1)[:, :k]
    return order, np.take_along_axis(distances, order, 1)


@pytest.mark.parametrize(
    "words",
    [
        ["num=6", "seed=3"],
        ["seeds=4,9"],
        ["num=4", "class=bee", "truncation=0.7"],
        ["num=3", "space=features", "metric/features=raw"],
    ],
)
def test_the_table_is_what_all_distances_say_of_the_samples_that_sample_draws(
    words: list[str], there: Path, cli: Cli
) -> None:
    done(cli, *NEIGHBOURS, "k=3", *words, "out=found.csv")
    assert not Path("found.png").exists()
    done(cli, "sample", "run", *CPU, *(word for word in words if "features" not in word), "out=drawn.npy")
    samples = np.load("drawn.npy")
    places, distances = brute_force(samples, 3)
    found = table("found.csv")
    assert found[:, 0].tolist() == np.arange(len(samples)).repeat(3).tolist()
    seeds = [4, 9] if words == ["seeds=4,9"] else [3 if "seed=3" in words else 0] * len(samples)
    assert found[:, 1].tolist() == np.repeat(seeds, 3).tolist()
    assert found[:, 2].tolist() == [1, 2, 3] * len(samples)
    assert found[:, 3].tolist() == places.ravel().tolist()
    np.testing.assert_allclose(found[:, 4], distances.ravel(), rtol=1e-6)  # features are float32


def test_a_generator_that_copies_is_told_of(there: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    copied = [7, 29, 0, 12]
    rows = torch.from_numpy(real_images()[copied])
    monkeypatch.setattr(TrainedGenerator, "rows", lambda *_: rows)
    told = done(cli, *NEIGHBOURS, "num=4", "out=x.csv")
    found = table("x.csv")[::5]
    assert found[:, 3].tolist() == copied
    assert found[:, 4].tolist() == [0, 0, 0, 0]
    assert "4 of 4 samples (100.0%) as near as the nearest 1 % of the real ones are to each other" in told
    assert (
        "median distance to the nearest of 30 real samples: 0, by pixels; of 30 real ones to the nearest" in told
    )


def test_new_samples_are_told_of_by_medians_over_so_many_real_ones(
    there: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    far = np.full((5, 8, 8, 1), 255, np.uint8)  # grey, which chance makes, would be nearer than real ones are
    far[:, 0, 0, 0] = [0, 9, 90, 160, 255]
    monkeypatch.setattr(TrainedGenerator, "rows", lambda *_: torch.from_numpy(far))
    told = done(cli, *NEIGHBOURS, "num=5", "real=9", "out=x.csv")
    median = np.sort(brute_force(far, 1)[1][:, 0])[2]
    assert f"nearest of 30 real samples: {median:.4g}, by pixels; of 9 real ones to the nearest other" in told
    assert "0 of 5 samples (0.0%) as near as" in told


def test_a_picture_shows_each_sample_and_then_its_neighbours(there: Path, cli: Cli) -> None:
    told = done(cli, *NEIGHBOURS, "k=2", "num=3")
    folder = Path("outputs/run/neighbours")
    stem = "step-00000001-seed-0-3-k-2-pixels"
    assert sorted(path.name for path in folder.iterdir()) == [f"{stem}.csv", f"{stem}.png"]
    assert f"3 samples: {folder / stem}.png" in told
    done(cli, "sample", "run", *CPU, "num=3", "out=drawn.npy")
    samples, places = np.load("drawn.npy"), table(folder / f"{stem}.csv")[:, 3].astype(int).reshape(3, 2)
    with Image.open(folder / f"{stem}.png") as image:
        sheet = np.asarray(image)
    assert sheet.shape == (LINE + 3 * (LEAST + LINE + GAP) + GAP, 3 * (LEAST + GAP) + GAP)
    for row in range(3):
        top = LINE + GAP + row * (LEAST + LINE + GAP)
        tiles = [sheet[top : top + LEAST : 7, GAP + column * (LEAST + GAP) :][:, :LEAST:7] for column in range(3)]
        shown = [samples[row], *real_images()[places[row]]]
        for tile, expected in zip(tiles, shown, strict=True):
            assert np.array_equal(tile, expected[..., 0])


def test_a_picture_has_a_hundred_samples_at_most_and_the_table_all(there: Path, cli: Cli) -> None:
    told = done(cli, *NEIGHBOURS, "k=1", "num=103", "out=many")
    assert "100 samples: many/step-00000001-seed-0-103-k-1-pixels.png" in told
    assert "103 samples: many/step-00000001-seed-0-103-k-1-pixels.csv" in told
    assert len(table(next(Path("many").glob("*.csv")))) == 103


def test_points_have_a_table_alone(there: Path, cli: Cli) -> None:
    told = done(cli, "neighbours", "points", *CPU, "num=3", "k=2")
    (path,) = Path("outputs/points/neighbours").iterdir()
    assert path.name == "step-00000001-seed-0-3-k-2-pixels.csv"
    assert "by values" in told
    found = table(path)
    assert (found[::2, 4] <= found[1::2, 4]).all()


def test_data_that_was_moved_is_named_where_it_lies_now(there: Path, cli: Cli) -> None:
    Path("labelled.npz").rename("moved.npz")
    assert cli(*NEIGHBOURS).code == 3
    done(cli, *NEIGHBOURS, "data.path=moved.npz")
    np.savez("moved.npz", images=255 - np.load("moved.npz")["images"], labels=np.load("moved.npz")["labels"])
    outcome = cli(*NEIGHBOURS, "data.path=moved.npz")
    assert outcome.code == 3
    assert "take a generator that was trained on it" in outcome.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("run space=edges", "space: must be 'pixels' or 'features', not 'edges'"),
        ("run k=0", "k: must be at least 1"),
        ("run k=30", "k: 30 of 30 real samples cannot be the nearest; take 29"),
        ("run real=1", "real: must be at least 2"),
        ("run num=3 seeds=0-3", "num: 3 samples, but seeds has 4, one for each; leave num out"),
        ("run seed=1 seeds=0-3", "seed: says nothing where seeds has one for each sample"),
        ("run class=dog", "class: unknown class 'dog'"),
        ("points class=ant", "class: the model of this run is not conditional"),
        ("points out=x.png", "out: x.png would be a picture of images, but this model draws points; take .csv"),
        ("points space=features", "metric/features: classifier looks at images"),
        ("run out=x.npy", "out: x.npy would be a file of another kind than .csv, .png"),
        ("run metric/features=rows", "metric/features: there is no 'rows'"),
        ("run features.side=1", "features.side: must be at least 8"),
        ("run data.labels=x", "data.labels: cannot change, because a run is compared with the data"),
    ],
)
def test_what_cannot_be_is_one_line(words: str, told: str, there: Path, cli: Cli) -> None:
    outcome = cli("neighbours", *words.split(), *CPU)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert told in outcome.err
    assert not list(there.glob("x.*"))
