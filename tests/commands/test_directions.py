"""ganctl directions, and ganctl sample along them: what is drawn and written, its names, what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganctl
from ganctl.cli import main
from ganctl.commands.words.strengths import parse_strength
from ganctl.images.png import GAP, LEAST, LINE
from ganctl.uses.principal import sefa
from scripts.soaks.configs import small_words
from tests.commands.labelled import save_labelled, words_of
from tests.conftest import TINY, Cli

CPU = ["device=cpu", "device.precision=fp32"]
DIRECTIONS = ["directions", "run", *CPU]
SAMPLE = ["sample", "run", *CPU]


@pytest.fixture(scope="module")
def runs_outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `outputs` with a conditional run, one with styles, one on a sphere, and one on points."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("runs"))
        save_labelled(["ant", "bee", "cat"])
        wide = ["model.latent=6", "model.init_std=0.5"]
        assert main(["train", *words_of(), *wide]) == 0
        assert main(["train", *words_of(conditional=False), *wide, "model.prior=sphere", "name=sphere"]) == 0
        steps = ["train.steps=1", "sample.every=0", "name=styles"]
        assert main(["train", *small_words(*steps, model="stylegan2")]) == 0
        assert main(["train", *TINY, "name=points"]) == 0
        return Path("outputs").absolute()


@pytest.fixture
def runs(workspace: Path, runs_outputs: Path) -> Path:
    """Work beside these runs."""
    shutil.copytree(runs_outputs, workspace / "outputs", symlinks=True)
    return workspace


def picture(path: str | Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def done(cli: Cli, *words: str) -> str:
    outcome = cli(*words)
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out


def test_a_picture_and_numbers_are_written_into_the_run(runs: Path, cli: Cli) -> None:
    told = done(cli, *DIRECTIONS, "num=3", "columns=5", "class=bee", "seeds=7")
    folder = Path("outputs/run/directions")
    name = "step-00000001-sefa-seed-7-3x5-by-3-class-bee.png"
    assert sorted(path.name for path in folder.iterdir()) == [name, "step-00000001-sefa.npz"]
    assert f"the first 3 of 4 directions of step 1: {folder / name}" in told
    height, width = picture(folder / name).shape
    assert height == LINE + 3 * (LEAST + GAP) + GAP
    assert width > 5 * (LEAST + GAP) + GAP
    found = np.load(folder / "step-00000001-sefa.npz")
    expected = sefa(
        ganctl.load("run", device="cpu", precision="fp32").module.get_parameter("dense.0.weight")[:, :6]
    )
    assert np.array_equal(found["directions"], expected.vectors.numpy())
    assert np.array_equal(found["gains"], expected.gains.numpy())
    assert str(found["of"]) == "latents"


def test_a_picture_shows_the_samples_that_are_moved_from_one_strength_to_the_other(runs: Path, cli: Cli) -> None:
    done(cli, *DIRECTIONS, "num=2", "columns=3", "strength=2", "seeds=4", "out=found.png")
    assert not Path("found.npz").exists()
    sheet = picture("found.png")[LINE:, -3 * (LEAST + GAP) - GAP :]
    pitch = LEAST + GAP
    for row in range(2):
        for column, strength in enumerate((-2, 0, 2)):
            words = ["seeds=4", f"direction={row + 1}", f"strength={strength}", "out=one.npy"]
            done(cli, *SAMPLE, *words)
            shown = sheet[GAP + row * pitch :, GAP + column * pitch :][:LEAST:7, :LEAST:7]
            difference = shown.astype(int) - np.load("one.npy")[0, ..., 0]
            assert np.abs(difference).max() <= 1  # rounding of batches of other sizes


def test_seeds_have_blocks_of_rows_each(runs: Path, cli: Cli) -> None:
    done(cli, *DIRECTIONS, "num=2", "columns=3", "seeds=4,9", "out=both.png")
    done(cli, *DIRECTIONS, "num=2", "columns=3", "seeds=9", "out=one.png", "batch_size=1")
    images = 3 * (LEAST + GAP) + GAP
    both, one = (picture(f"{name}.png")[:, -images:].astype(int) for name in ("both", "one"))
    block = 2 * (LEAST + GAP)
    assert both.shape[0] - one.shape[0] == block
    assert np.abs(both[-block:] - one[-block:]).max() <= 1  # rounding of batches of other sizes
    assert np.abs(both[LINE : LINE + block] - one[-block:]).max() > 1


@pytest.mark.parametrize("run", ["run", "styles"])
@pytest.mark.parametrize("method", ["sefa", "pca"])
def test_directions_do_not_depend_on_the_batch_or_the_truncation(
    run: str, method: str, runs: Path, cli: Cli
) -> None:
    words = ["directions", run, *CPU, f"method={method}"]
    for name, word in (("a", "batch_size=1"), ("b", "batch_size=64"), ("c", "truncation=0.5")):
        done(cli, *words, word, f"out={name}.npz")
    first = np.load("a.npz")
    assert first["directions"].shape == (4, 6 if run == "run" else 4)
    assert str(first["of"]) == ("latents" if run == "run" else "styles")
    for other in (np.load("b.npz"), np.load("c.npz")):
        assert all(np.array_equal(first[key], other[key]) for key in ("directions", "gains", "of"))


def test_points_have_numbers_and_no_picture(runs: Path, cli: Cli) -> None:
    done(cli, "directions", "points", *CPU, "num=2")
    assert [path.name for path in Path("outputs/points/directions").iterdir()] == ["step-00000001-sefa.npz"]
    done(cli, "sample", "points", *CPU, "direction=2", "strength=1", "num=5", "out=moved.npy")
    loaded = ganctl.load("points", device="cpu", precision="fp32")
    direction = np.load("outputs/points/directions/step-00000001-sefa.npz")["directions"][1]
    np.testing.assert_allclose(
        np.load("moved.npy"), loaded(loaded.latents(5) + torch.tensor(direction)), rtol=1e-5
    )


def stored(images: torch.Tensor) -> np.ndarray:
    return ((images + 1) * 127.5).round().clamp(0, 255).permute(0, 2, 3, 1).numpy().astype(int)


@pytest.mark.parametrize("method", ["sefa", "pca"])
@pytest.mark.parametrize("run", ["run", "sphere", "styles"])
def test_samples_along_a_direction_are_those_of_latents_moved_by_hand(
    run: str, method: str, runs: Path, cli: Cli
) -> None:
    done(cli, "directions", run, *CPU, f"method={method}", "out=found.npz")
    words = ["sample", run, *CPU, f"method={method}", "num=4", "seed=3", "direction=2", "strength=1.5"]
    done(cli, *words, "out=moved.npy")
    shift = 1.5 * torch.from_numpy(np.load("found.npz")["directions"][1])
    loaded = ganctl.load(run, device="cpu", precision="fp32")
    latents = loaded.latents(4, seed=3)
    if run == "styles":
        samples = loaded.module.synthesise(loaded.module.styles(latents) + shift)
    else:
        moved = latents + shift
        if run == "sphere":
            moved *= latents.norm(dim=1, keepdim=True) / moved.norm(dim=1, keepdim=True)
        samples = loaded(moved)
    found = np.load("moved.npy").astype(int)
    assert np.abs(found - stored(samples)).max() <= 1  # rounding to bytes
    if run != "styles":  # which after one step are grey
        assert np.abs(found - loaded.sample(4, seed=3)).max() > 5


def test_a_range_of_strengths_has_a_row_per_latent_and_a_column_per_strength(runs: Path, cli: Cli) -> None:
    done(cli, *SAMPLE, "num=3", "seed=2", "direction=1", "strength=-3..3", "out=range.npz")
    found = np.load("range.npz")
    assert found["labels"].tolist() == [0] * 7 + [1] * 7 + [2] * 7
    for column, strength in enumerate((-3, -2, -1, 0, 1, 2, 3)):
        done(cli, *SAMPLE, "num=3", "seed=2", "direction=1", f"strength={strength}", "out=one.npy")
        difference = found["samples"][column::7].astype(int) - np.load("one.npy")
        assert np.abs(difference).max() <= 1  # rounding of batches of other sizes


def test_a_range_is_drawn_by_default_and_its_name_says_so(runs: Path, cli: Cli) -> None:
    done(cli, *SAMPLE, "direction=2", "class=[cat,ant]", "seeds=5-7")
    done(cli, *SAMPLE, "direction=2", "strength=.5", "method=pca", "num=2")
    names = sorted(path.name for path in Path("outputs/run/samples").iterdir())
    assert names == [
        "step-00000001-seed-0-2-pca-2-by-0.5.png",
        "step-00000001-seeds-5-7-classes-cat+ant-sefa-2-by--3..3.png",
    ]
    height, width = picture(Path("outputs/run/samples") / names[1]).shape
    assert height == 6 * (8 + GAP) + GAP
    assert width > 7 * (8 + GAP) + GAP
    done(cli, *SAMPLE, "direction=2", "out=all.npy")
    assert len(np.load("all.npy")) == 8 * 7


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("directions run method=ica", "method: must be 'sefa' or 'pca', not 'ica'"),
        ("directions run num=0", "num: must be at least 1"),
        ("directions run columns=1", "columns: must be at least 2"),
        ("directions run strength=0", "strength: must be above 0"),
        ("directions run class=dog", "class: unknown class 'dog'"),
        ("directions sphere class=ant", "class: the model of this run is not conditional"),
        ("directions sphere truncation=0.5", "truncation: bounds latents of the prior normal"),
        ("directions run out=x.jpg", "out: x.jpg would be a file of another kind than .npz, .png"),
        ("directions run seeds=0-9999 columns=100", "seeds: 5,000,000 samples would be in one picture"),
        ("directions points out=x.png", "out: x.png would be a picture of images, but this model draws points"),
        (
            "sample run direction=5",
            "direction: there is no direction 5; this generator has 4 directions, numbered",
        ),
        ("sample run direction=0", "direction: must be at least 1"),
        ("sample run direction=1 strength=far", "strength: must be a number, or a range such as -3..3, not 'far'"),
        ("sample run direction=1 strength=3..-3", "strength: must rise in a range, such as -3..3"),
        ("sample run direction=1 method=ica", "method: must be 'sefa' or 'pca'"),
        ("sample run direction=1 sweep=true", "sweep: shows codes, and direction moves latents; leave one out"),
        ("sample run direction=1 images=true", "images: a range of strengths is one image; take one strength"),
        ("sample run direction=1 num=50000", "strength: would draw 350,000 samples in one image; the most is"),
    ],
)
def test_what_cannot_be_is_one_line(words: str, told: str, runs: Path, cli: Cli) -> None:
    command, run, *more = words.split()
    outcome = cli(command, run, *CPU, *more)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert told in outcome.err
    assert not list(runs.glob("x.*"))


@pytest.mark.parametrize(
    ("typed", "ends"),
    [
        (3, (3,)),
        ("-1.5", (-1.5,)),
        ("-3..3", (-3, 3)),
        ("0...5", (0, 0.5)),
        ("-1e1..+2.5", (-10, 2.5)),
        (" 1..2 ", (1, 2)),
    ],
)
def test_a_strength_is_a_number_or_a_range(typed: object, ends: tuple[float, ...]) -> None:
    assert parse_strength(typed) == ends


@pytest.mark.parametrize(
    "typed", [True, None, "", "..", "1..", "1..2..3", "1e999", "-1e999..1", "2..2", [1, 2], "½"]
)
def test_anything_else_is_no_strength(typed: object) -> None:
    with pytest.raises(ValueError, match="must "):
        parse_strength(typed)
