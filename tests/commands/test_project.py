"""The latents of given images: what is written, what is told, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.commands.labelled import train
from tests.conftest import Cli

NAMES = ("cat", "dog")
PROJECT = ["project", "run", "device=cpu", "steps=40", "candidates=16", "starts=2", "lr=0.3"]


@pytest.fixture
def animals(workspace: Path, cli: Cli) -> Path:
    train(cli, NAMES)
    return workspace


def test_generated_images_are_found_again(animals: Path, cli: Cli) -> None:
    assert cli("sample", "run", "device=cpu", "seeds=0-3", "out=known.npy").code == 0
    outcome = cli(*PROJECT, "seeds=0-3", "out=p.png", "batch_size=3")
    first, second, *lines = outcome.out.splitlines()
    assert (outcome.code, first, second) == (0, "4 images of step 1: p.png", "latents: p.npz")
    assert [line.split(":")[0] for line in lines] == ["seed 0", "seed 1", "seed 2", "seed 3"]
    assert [line.split(", ")[1] for line in lines] == ["class cat", "class dog", "class cat", "class dog"]
    assert all(float(line.split()[2]) < 1 for line in lines), lines
    assert cli("sample", "run", "device=cpu", "latents=p.npz", "out=found.npy").code == 0
    away = np.load("found.npy").astype(int) - np.load("known.npy").astype(int)
    assert np.abs(away).max() <= 3
    with Image.open("p.png") as image:
        rows = np.asarray(image)[:, -4 * 10 - 2 :]
    assert np.array_equal(rows[2:10, 2:10], np.load("known.npy")[0, ..., 0])
    assert np.array_equal(rows[12:20, 12:20], np.load("found.npy")[1, ..., 0])
    assert np.array_equal(rows[22:30, 22:30], np.abs(away[2, ..., 0]))


def test_images_of_files_are_taken_in_the_size_of_the_generator(animals: Path, cli: Cli) -> None:
    Path("pictures").mkdir()
    for name, size in (("a", (8, 8)), ("b", (40, 30)), ("c", (8, 8))):
        Image.new("RGB", size, (250, 20, 20)).save(f"pictures/{name}.png")
    outcome = cli(*PROJECT, "image=pictures", "num=2", "class=dog")
    told = outcome.out.splitlines()
    assert told[0] == "image: resized to 8×8 pixels, first pictures/b.png of 40×30"
    assert told[1] == "image: the first 2 of 3 images; num=… takes more"
    (written,) = Path("outputs/run/projections").glob("step-00000001-image-pictures-*.npz")
    assert told[2] == f"2 images of step 1: {written.with_suffix('.png')}"
    assert [line.rpartition(", ")[2] for line in told[4:]] == ["class dog", "class dog"]
    assert np.load(written)["latents"].shape == (2, 2)
    assert np.load(written)["labels"].tolist() == [1, 1]
    assert cli(*PROJECT, "image=pictures", "num=2", "class=cat").code == 0
    assert len(list(written.parent.glob("*.npz"))) == 2
    assert cli(*PROJECT, "image=pictures/a.png", "features=0", "out=one.png").code == 0
    assert np.load("one.npz")["latents"].shape == (1, 2)


def test_images_of_16_bits_and_damaged_ones(animals: Path, cli: Cli) -> None:
    Path("pictures").mkdir()
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 1000).save("pictures/deep.png")
    Path("pictures/damaged.png").write_bytes(Path("pictures/deep.png").read_bytes()[:60])
    outcome = cli(*PROJECT, "image=pictures", "out=p.png")
    assert outcome.out.startswith("image: 1 image left out that did not decode, first pictures/damaged.png (")
    with Image.open("p.png") as image:
        given = np.asarray(image)[2:10, -10:-2]
    assert (given[0, 0], given[-1, -1]) == (0, round(63_000 * 255 / 65_535))


def test_no_candidate_is_the_latents_that_are_to_be_found(workspace: Path, cli: Cli) -> None:
    train(cli, NAMES, "model.latent=16", conditional=False)  # 16 normal numbers are drawn at once, as are more
    outcome = cli(*PROJECT, "seeds=0", "seed=0", "steps=1", "lr=1e-9", "starts=16")
    away = float(outcome.out.splitlines()[-1].split()[-2])
    assert away > 0.5


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], 2, "image: give an image file or a folder, or seeds whose images are to be found again"),
        (["image=a.png", "seeds=1"], 2, "image: give an image file or a folder, or seeds"),
        (["seeds=0-1000"], 2, "seeds: 1,001 images; the most is 1,000"),
        (["image=a.pgn"], 3, "image: a.pgn does not exist (did you mean 'a.png'?)"),
        (["image=text.png"], 3, "image: text.png (plain text) does not decode"),
        (["image=empty"], 3, "image: empty holds no images"),
        (["image=a.png", "class=cow"], 2, "class: unknown class 'cow'"),
        (["image=a.png", "features=2"], 2, "features: must be at most 1.0, not 2"),
        (["image=a.png", "weights=none.safetensors"], 2, "weights: none.safetensors does not exist"),
        (["image=a.png", "out=p.npy"], 2, "out: p.npy would be a file of another kind than .png"),
    ],
)
def test_what_cannot_be_projected_is_one_line(
    words: list[str], code: int, told: str, animals: Path, cli: Cli
) -> None:
    Image.new("L", (8, 8)).save("a.png")
    Path("text.png").write_text("no picture")
    Path("empty").mkdir()
    outcome = cli(*PROJECT, *words)
    assert (outcome.code, outcome.err.count("\n")) == (code, 1)
    assert told in outcome.err
    assert not list(animals.glob("p.*"))


def test_packs_have_no_features_of_one_image(workspace: Path, cli: Cli) -> None:
    train(cli, NAMES, "train.pack=2", conditional=False)
    outcome = cli(*PROJECT, "seeds=1")
    assert outcome.code == 2
    assert "features: the discriminator of this run judges packs (train.pack=2); take features=0" in outcome.err
    assert cli(*PROJECT, "seeds=1", "features=0").code == 0


def test_points_are_refused(trained: Path, cli: Cli) -> None:
    outcome = cli(*PROJECT, "seeds=1")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "project: compares images, but the data is points of 2 dimensions" in outcome.err


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"found": np.zeros((2, 2), np.float32)}, "latents.npz holds found, and no array 'latents'"),
        ({"latents": np.zeros((2, 2), np.float32), "labels": np.array([0.5, 1])}, "holds labels float64 [2];"),
        ({"latents": np.zeros((2, 2), np.float32), "labels": np.array([0, 2])}, "holds labels beyond the classes"),
    ],
)
def test_a_file_of_other_latents_is_one_line(
    animals: Path, cli: Cli, arrays: dict[str, np.ndarray], told: str
) -> None:
    np.savez("latents.npz", **arrays)  # type: ignore[arg-type]
    outcome = cli("sample", "run", "device=cpu", "latents=latents.npz")
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert outcome.err.startswith("ganctl: latents: ")
    assert told in outcome.err
