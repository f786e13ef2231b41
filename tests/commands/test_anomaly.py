"""Scores of images: what is written, that what is unlike the data comes first, and what is refused."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands.labelled import save_labelled, train
from tests.conftest import Cli

NAMES = ("cat", "dog")
ANOMALY = [
    *("anomaly", "run", "device=cpu", "encoder.steps=5", "search.steps=5", "search.candidates=8"),
    "search.starts=1",
]


def table(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def animals(workspace: Path, cli: Cli) -> Path:
    """Work beside a run on noise, and with a set of its images, of brighter ones, and of another size."""
    train(cli, NAMES, conditional=False)
    real = np.load("labelled.npz")["images"]
    bright = np.full((3, 8, 8, 1), 255, np.uint8)
    labels = np.array(["usual"] * len(real) + ["bright, all"] * 3)
    np.savez("mixed.npz", images=np.concatenate([real, bright]), labels=labels)
    np.savez("large.npz", images=np.zeros((4, 16, 16, 1), np.uint8))
    return workspace


@pytest.mark.parametrize("method", ["encoder", "search"])
def test_what_is_unlike_the_data_comes_first(method: str, animals: Path, cli: Cli) -> None:
    data = ["data=array", "data.path=mixed.npz", "data.labels=labels"]
    outcome = cli(*ANOMALY, *data, f"method={method}", "anomalous=['bright, all']", "shown=3", "batch_size=4")
    (written,) = Path("outputs/run/anomalies").glob(f"step-00000001-mixed-{method}-*.csv")
    place = str(written.with_suffix(""))
    assert outcome.out.splitlines()[-3:] == [
        f"11 images scored, the strangest first: {place}.csv",
        f"the strangest 3: {place}.png",
        "area under the ROC curve: 1.000 for 3 images to be found among 11 (0.5 = by chance, 1 = all come first)",
    ]
    rows = table(f"{place}.csv")
    assert list(rows[0]) == ["image", "class", "score", "pixels", "features"]
    assert {row["image"] for row in rows[:3]} == {"8", "9", "10"}
    assert {row["class"] for row in rows[:3]} == {"bright, all"}
    assert [float(row["score"]) for row in rows] == sorted((float(row["score"]) for row in rows), reverse=True)
    for row in rows:
        assert float(row["score"]) == pytest.approx(float(row["pixels"]) + float(row["features"]), rel=1e-4)
    with Image.open(f"{place}.png") as image:
        pixels = np.asarray(image)[:, -3 * 10 - 2 :]
    assert (pixels[2:10, 2:10] == 255).all()
    assert np.array_equal(255 - pixels[12:20, 2:10], pixels[22:30, 2:10])


def test_the_training_data_is_scored_by_default_and_the_encoder_is_kept(
    animals: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli(*ANOMALY, "num=6", "out=a.csv", "cache=kept").code == 0
    assert sorted(row["image"] for row in table("a.csv")) == [*map(str, range(6))]
    monkeypatch.setattr("ganctl.uses.anomalies.taught", lambda *_: pytest.fail("taught twice"))
    assert cli(*ANOMALY, "num=6", "out=b.csv", "cache=kept").code == 0
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    assert cli(*ANOMALY, "num=6", "out=c.csv", "cache=kept", "method=search", "features=0").code == 0
    assert list(table("c.csv")[0]) == ["image", "class", "score", "pixels"]


def test_a_conditional_generator_makes_images_again_by_the_nearest_class(workspace: Path, cli: Cli) -> None:
    train(cli, NAMES)
    for method in ("encoder", "search"):
        assert cli(*ANOMALY, f"method={method}", "out=a.csv").code == 0
        assert len(table("a.csv")) == 8


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (
            ["data=array", "data.path=large.npz"],
            3,
            "data: holds 16×16 pixels in 1 channel, and this generator makes 8×8",
        ),
        (["data=array", "data.path=none.npz"], 3, "data.path: none.npz does not exist"),
        (["data=arr"], 2, "data: there is no 'arr' (did you mean 'array'?)"),
        (["data=array", "data.path=large.npz", "anomalous=3"], 3, "data: holds 16×16"),
        (["anomalous=cow"], 2, "anomalous: unknown class 'cow'"),
        (["anomalous=[cat,dog]"], 2, "anomalous: 8 of 8 images are of these classes"),
        (["method=guess"], 2, "method: must be 'encoder' or 'search', not 'guess'"),
        (["out=a.json"], 2, "out: a.json would be a file of another kind than .csv"),
        (["weights=none.safetensors"], 2, "weights: none.safetensors does not exist"),
        (["encoder.step=5"], 2, "encoder.step: unknown key (did you mean 'encoder.steps'?)"),
    ],
)
def test_what_cannot_be_scored_is_one_line(
    words: list[str], code: int, told: str, animals: Path, cli: Cli
) -> None:
    outcome = cli(*ANOMALY, *words)
    assert (outcome.code, outcome.err.count("\n")) == (code, 1)
    assert told in outcome.err


def test_an_encoder_is_taught_by_the_data_of_the_run_alone(animals: Path, cli: Cli) -> None:
    save_labelled(NAMES, each=3)
    other = ["data=array", "data.path=mixed.npz"]
    outcome = cli(*ANOMALY, *other)
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert "has changed since" in outcome.err
    assert cli(*ANOMALY, *other, "method=search").code == 0


def test_an_encoder_is_taught_by_the_data_of_the_run_where_it_is_now(animals: Path, cli: Cli) -> None:
    Path("labelled.npz").rename("moved.npz")
    outcome = cli(*ANOMALY)
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert cli(*ANOMALY, "data=array", "data.path=moved.npz", "data.labels=labels", "num=2", "out=a.csv").code == 0
    assert len(table("a.csv")) == 2


def test_packs_make_no_encoder(workspace: Path, cli: Cli) -> None:
    train(cli, NAMES, "train.pack=2", conditional=False)
    outcome = cli(*ANOMALY, "features=0")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert (
        "method: the discriminator of this run judges packs (train.pack=2), which make no encoder" in outcome.err
    )
    assert cli(*ANOMALY, "features=0", "method=search").code == 0


def test_points_are_refused(trained: Path, cli: Cli) -> None:
    outcome = cli(*ANOMALY)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "anomaly: compares images, but the data is points" in outcome.err
