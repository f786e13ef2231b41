"""Where samples and evaluations are written, by which words seeds are given, and how a run is named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY, Cli

SAMPLE = ["sample", "run", "device=cpu", "num=5"]
EVALUATE = ["evaluate", "run", "metric/features=raw", "metric=[mixture_modes]", "num=40", "device=cpu"]
DIGITS = [
    *("data.resolution=8", "model.generator.width=2", "model.discriminator.width=2", "train.batch_size=4"),
    *("train.steps=1", "sample.every=0", "device=cpu", "device.precision=fp32", "name=digits"),
]


@pytest.fixture
def drawn(trained: Path, cli: Cli) -> Path:
    """Work beside a run on points, `run`, and one on images, `digits`."""
    assert cli("train", *DIGITS).code == 0
    return trained


def test_an_ending_makes_a_file_and_everything_else_a_folder(trained: Path, cli: Cli) -> None:
    for out in ("x.png", "new/y.png"):
        assert cli(*SAMPLE, f"out={out}").code == 0
        with Image.open(out) as image:
            assert image.size == (512, 512)
    for out in ("folder", "v1.2", "folder.png/"):
        assert cli(*SAMPLE, f"out={out}").code == 0
        assert [path.name for path in Path(out).iterdir()] == ["step-00000001-seed-0-5.png"]
    assert cli(*SAMPLE, "out=folder.png", "seed=1").code == 0
    assert (Path("folder.png") / "step-00000001-seed-1-5.png").is_file()


def test_points_are_had_as_numbers(trained: Path, cli: Cli) -> None:
    for ending in ("npy", "npz", "csv"):
        outcome = cli(*SAMPLE, f"out=p.{ending}")
        assert (outcome.code, outcome.out) == (0, f"5 points of step 1: p.{ending}\n")
    points = np.load("p.npy")
    assert (points.shape, points.dtype) == ((5, 2), np.float32)
    assert np.array_equal(np.load("p.npz")["samples"], points)
    assert np.array_equal(np.loadtxt("p.csv", np.float32, delimiter=","), points)


def test_images_are_had_as_bytes_that_can_be_trained_on_again(drawn: Path, cli: Cli) -> None:
    for ending in ("npy", "npz"):
        assert cli("sample", "digits", "num=5", "device=cpu", f"out=i.{ending}").code == 0
    images = np.load("i.npy")
    assert (images.shape, images.dtype) == ((5, 8, 8, 1), np.uint8)
    assert np.array_equal(np.load("i.npz")["samples"], images)
    outcome = cli("train", "data=array", "data.path=i.npz", *DIGITS[1:-1], "name=again")
    assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["out=x.jpg"],
            "out: x.jpg would be a file of another kind than .csv, .npy, .npz, .png; take one",
        ),
        (["out=x.txt"], "out: x.txt would be a file of another kind"),
        (["seeds=0-3"], "num: 5 samples, but seeds has 4, one for each; leave num out"),
        (["num=null", "seeds=0-3", "seed=1"], "seed: says nothing where seeds has one for each sample"),
        (["ckpt=outputs/digits", "out=x.png", "images=true"], "images: need a folder, but out=x.png is a file"),
    ],
)
def test_what_does_not_go_together_is_one_line(words: list[str], told: str, drawn: Path, cli: Cli) -> None:
    run = [] if any(word.startswith("ckpt=") for word in words) else ["run"]
    outcome = cli("sample", *run, "device=cpu", "num=5", *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert told in outcome.err
    assert not list(drawn.glob("x.*"))


@pytest.mark.parametrize(
    ("typed", "count"), [("0-3,7", 5), ("[0-3,7]", 5), ("7", 1), ("[1,5]", 2), ("3,5,8", 3), ("0-0", 1)]
)
def test_seeds_are_typed_alike_for_both_commands(typed: str, count: int, trained: Path, cli: Cli) -> None:
    outcome = cli("sample", "run", "device=cpu", f"seeds={typed}", "out=p.npy")
    assert outcome.code == 0, outcome.err
    assert len(np.load("p.npy")) == count
    outcome = cli(*EVALUATE, f"seeds={typed}")
    assert outcome.code == 0, outcome.err
    (found,) = json.loads(Path("outputs/run/evaluation.json").read_text())["evaluations"]
    assert len(found["asked"]["seeds"]) == count


def test_an_evaluation_goes_to_a_file_or_into_a_folder(trained: Path, cli: Cli) -> None:
    Path("old").write_text('{"evaluations": []}')
    for out, path in (("a/e.json", "a/e.json"), ("b", "b/evaluation.json"), ("old", "old")):
        outcome = cli(*EVALUATE, f"out={out}")
        assert outcome.code == 0, outcome.err
        assert len(json.loads(Path(path).read_text())["evaluations"]) == 1
    outcome = cli(*EVALUATE, "out=e.png")
    assert (outcome.code, Path("e.png").exists()) == (2, False)
    assert "out: e.png would be a file of another kind than .json" in outcome.err


CHECKPOINT = "outputs/run/checkpoints/step-00000001.safetensors"


@pytest.mark.parametrize("word", ["run", "outputs/run", "outputs/run/", "latest", "outputs/latest", CHECKPOINT])
@pytest.mark.parametrize("form", ["{}", "ckpt={}"])
def test_every_command_takes_a_run_by_any_of_its_names(word: str, form: str, trained: Path, cli: Cli) -> None:
    named = form.format(word)
    for command in (["sample", named, "num=2", "device=cpu"], ["evaluate", named, *EVALUATE[2:]]):
        outcome = cli(*command)
        assert outcome.code == 0, outcome.err
    outcome = cli("resume", named, "train.steps=2")
    if word == CHECKPOINT:
        assert outcome.code == 2
        assert "a run goes on from its newest checkpoint, not from any; `ganctl resume outputs/run`" in outcome.err
    else:
        assert outcome.code == 0, outcome.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (
            "train ckpt=outputs/run",
            2,
            "by the command that began it, or by `ganctl resume outputs/run`",
        ),
        ("resume rum", 4, "rum: no run folder (neither here nor below outputs/) (did you mean 'run'?)"),
        ("sample rum", 4, "rum: no run folder (neither here nor below outputs/) (did you mean 'run'?)"),
        ("evaluate outputs/rum", 4, "(did you mean 'run'?)"),
        ("resume run ckpt=run", 2, "run: is not of the form key=value"),
        ("resume run data=digits", 2, "data: cannot change when a run goes on"),
        ("resume run data.num=5", 2, "data.num: cannot change when a run goes on"),
        ("resume run model=dcgan", 2, "model: cannot change when a run goes on"),
        ("resume run sample=3", 2, "sample: is a group of keys; give the ones that shall change"),
        (
            "evaluate run data.num=5 device=cpu",
            2,
            "data.num: cannot change, because a run is compared",
        ),
    ],
)
def test_what_does_not_fit_is_told_how(words: str, code: int, told: str, trained: Path, cli: Cli) -> None:
    outcome = cli(*words.split())
    assert (outcome.code, outcome.err.count("\n")) == (code, 1)
    assert told in outcome.err or words == "resume run ckpt=run"


def test_data_that_was_moved_is_named_where_it_lies_now(workspace: Path, cli: Cli) -> None:
    np.save("points.npy", np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32))
    tiny = [word for word in TINY if not word.startswith("data")]
    assert cli("train", "data=array", "data.path=points.npy", *tiny, "name=run").code == 0
    Path("elsewhere").mkdir()
    shutil.move("points.npy", "elsewhere/points.npy")
    words = ["evaluate", "run", "metric/features=raw", "num=30", "device=cpu"]
    assert cli(*words).code == 3
    outcome = cli(*words, "data.path=elsewhere/points.npy")
    assert outcome.code == 0, outcome.err


def test_a_run_that_has_done_more_steps_than_asked_for_says_how_many(trained: Path, cli: Cli) -> None:
    assert cli("resume", "run", "train.steps=4").code == 0
    outcome = cli("resume", "run", "train.steps=3")
    assert (outcome.code, outcome.err) == (0, "")
    assert "outputs/run is complete: 4 steps are done; raise train.steps above 4 to go on" in outcome.out


def test_a_size_is_told_by_a_key_that_the_data_has(workspace: Path, cli: Cli) -> None:
    np.save("i.npy", np.random.default_rng(0).integers(0, 256, (8, 30, 30, 1), np.uint8))
    outcome = cli("train", "data=array", "data.path=i.npy", "train.steps=1")
    assert outcome.code == 2
    assert "data.resolution" not in outcome.err
    assert "model: dcgan cannot make 30×30 pixels, which do not halve down to 4–7" in outcome.err
    assert "resize the images to 28 or 32 pixels, or take model=mlp" in outcome.err
    outcome = cli("train", "data.resolution=30", "train.steps=1")
    assert (
        "data.resolution: dcgan cannot make 30×30 pixels, which do not halve down to 4–7; take 28 or 32"
        in outcome.err
    )


@pytest.mark.parametrize("command", ["sample", "interpolate", "project", "augment", "directions", "export"])
def test_a_place_below_a_file_is_refused_before_anything_is_read(command: str, workspace: Path, cli: Cli) -> None:
    Path("taken").write_bytes(b"mine")
    outcome = cli(command, "run", "out=taken/made")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith("ganctl: taken/made: cannot be written (Not a directory); a file stands where")
