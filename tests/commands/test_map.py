"""ganctl map: which samples lie where, of which class, in features and in latents, and what it refuses."""

import csv
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl import load
from ganctl.cli import main
from ganctl.runtime.randomness import permutation
from ganctl.uses.embedding import plane
from tests.commands.labelled import WORDS, save_labelled, train
from tests.conftest import Cli, contents

MAP = ["map", "run", "device=cpu", "num=20", "metric/features=raw"]
CLASSIFIER = ["metric/features=classifier", "features.steps=2", "features.width=2"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a conditional run on images of three classes, 16 each."""
    folder = tmp_path_factory.mktemp("map")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_labelled(["ant", "bee", "cat"], each=16)
        assert main(["train", *WORDS, "model.conditional=true"]) == 0
    return folder


@pytest.fixture
def images(shared: Path, workspace: Path) -> Path:
    """Work beside it."""
    shutil.copytree(shared, workspace, dirs_exist_ok=True, symlinks=True)
    return workspace


def rows(cli: Cli, *words: str) -> list[dict[str, str]]:
    outcome = cli(*MAP, "out=m.csv", *words)
    assert (outcome.code, outcome.err) == (0, "")
    with open("m.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def places(found: list[dict[str, str]]) -> np.ndarray:
    return np.array([[row["x"], row["y"]] for row in found], float)


def test_real_and_generated_samples_lie_where_their_features_do_each_with_its_class(images, cli: Cli) -> None:
    found = rows(cli)
    assert Counter(row["kind"] for row in found) == {"real": 20, "fake": 20}
    real, fake = ([row["class"] for row in found if row["kind"] == kind] for kind in ("real", "fake"))
    assert fake == real  # asked for the classes of the real ones
    assert set(real) == {"ant", "bee", "cat"}
    data, chosen = np.load("labelled.npz"), permutation(48, "reference", 0)[:20].numpy()
    assert real == data["labels"][chosen].tolist()
    samples = load("run", device="cpu").sample(20, labels=fake)
    pixels = np.concatenate([data["images"][chosen], samples]).reshape(40, -1) / np.float32(255)
    np.testing.assert_allclose(places(found), plane(pixels, "pca", 30).places, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_the_same_again_gives_the_same_places(method: str, images: Path, cli: Cli) -> None:
    assert rows(cli, f"method={method}") == rows(cli, f"method={method}")


def test_a_classifier_sees_the_classes_of_a_model_that_has_none(workspace: Path, cli: Cli) -> None:
    train(cli, ["ant", "bee", "cat"], each=16, conditional=False)
    raw, seen = rows(cli), rows(cli, *CLASSIFIER)
    assert {row["class"] for row in raw if row["kind"] == "fake"} == {""}
    assert {row["class"] for row in seen} <= {"ant", "bee", "cat"}
    assert [row["class"] for row in raw[:20]] == [row["class"] for row in seen[:20]]
    latents = rows(cli, *CLASSIFIER, "space=latents")
    assert [row["class"] for row in latents] == [row["class"] for row in seen[20:]]
    assert cli(*MAP, "out=m.png").code == 0  # real ones coloured by class, the others not


def test_latents_lie_where_they_are_each_with_the_class_that_was_asked_for(images: Path, cli: Cli) -> None:
    found = rows(cli, "space=latents", "seed=4")
    assert {row["kind"] for row in found} == {"fake"}
    latents = load("run", device="cpu").latents(20, seed=4).numpy()
    np.testing.assert_allclose(places(found), plane(latents, "pca", 30).places, rtol=1e-6, atol=1e-6)
    assert [row["class"] for row in found] == [row["class"] for row in rows(cli, "seed=4")[20:]]


def test_of_a_generator_with_styles_these_are_shown(workspace: Path, cli: Cli) -> None:
    small = ["model=stylegan2", "data.resolution=8", "model.generator.width=2", "model.discriminator.width=2"]
    outcome = cli("train", *small, *WORDS[-6:], "model.latent=4")
    assert outcome.code == 0, outcome.err
    found = rows(cli, "space=latents")
    loaded = load("run", device="cpu")
    styles = loaded.module.styles(loaded.latents(20))[:, 0].numpy()
    np.testing.assert_allclose(places(found), plane(styles, "pca", 30).places, rtol=1e-4, atol=1e-5)


def test_points_are_mapped_by_their_coordinates(trained: Path, cli: Cli) -> None:
    found = rows(cli, "metric/features=classifier")
    assert Counter(row["kind"] for row in found) == {"real": 16, "fake": 20}  # all that there are
    points = load("run", device="cpu").sample(20)
    apart = np.linalg.norm(places(found)[16:, None] - places(found)[None, 16:], axis=2)
    np.testing.assert_allclose(apart, np.linalg.norm(points[:, None] - points[None], axis=2), atol=1e-5)
    assert cli(*MAP).code == 0
    with Image.open("outputs/run/maps/step-00000001-features-raw-pca-seed-0-20.png") as picture:
        assert picture.size == (800, 560)


def test_pictures_go_to_the_run_with_images_beside_the_map(images: Path, cli: Cli) -> None:
    for words, name, beside, width in (
        (["thumbnails=false", "method=tsne"], "features-raw-tsne-*-seed-0-20.png", " beside 20 real", 800),
        (["class=bee"], "features-raw-pca-seed-0-20-class-bee.png", " beside 16 real", 1344),
        (["space=latents"], "latents-raw-pca-seed-0-20.png", "", 1344),
    ):
        outcome = cli(*MAP, *words)
        assert (outcome.code, outcome.err) == (0, "")
        (written,) = Path("outputs/run/maps").glob(f"step-00000001-{name}")
        assert f"20 samples of step 1{beside}: {written}" in outcome.out
        with Image.open(written) as picture:
            assert picture.size == (width, 560)


def test_more_classes_than_colours_are_drawn_by_their_kind(workspace: Path, cli: Cli) -> None:
    train(cli, [f"class {number:02}" for number in range(11)])
    assert cli(*MAP, "out=all.png", "thumbnails=false", "num=44").code == 0
    assert cli(*MAP, "out=few.png", "thumbnails=false", "class=[0,1,2]").code == 0
    counts = []
    for path in ("all.png", "few.png"):
        with Image.open(path) as picture:
            colours = np.asarray(picture).reshape(-1, 3)
        counts.append(int((colours == (63, 144, 218)).all(1).sum()))
    assert counts[0] == 0
    assert counts[1] > 0
    assert {row["class"] for row in rows(cli, "num=44")} == {f"class {number:02}" for number in range(11)}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["num=7"], "num: must be at least 8, not 7"),
        (["num=20001"], "num: must be at most 20000"),
        (["method=umap"], "method: must be 'pca' or 'tsne', not 'umap'"),
        (["space=pixels"], "space: must be 'features' or 'latents'"),
        (["perplexity=1"], "perplexity: must be above 1"),
        (["out=x.npz"], "out: x.npz would be a file of another kind than .csv, .png; take one"),
        (["class=dog"], "class: unknown class 'dog'; there are ant, bee, cat"),
        (["metric/features=rae"], "metric/features: there is no 'rae' (did you mean 'raw'?)"),
        (["features.width=2"], "features.width: unknown key"),
        (["data.range=[0,1]"], "data.range: cannot change, because a run is compared with the data that it was"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(words: list[str], told: str, images: Path, cli: Cli) -> None:
    before = contents(images)
    outcome = cli(*MAP, *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert told in outcome.err
    assert contents(images) == before


def test_too_few_images_of_a_class_are_told(workspace: Path, cli: Cli) -> None:
    train(cli, ["ant", "bee"], each=6)
    outcome = cli(*MAP, "class=bee")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "class: has 6 real samples; a comparison takes 8 or more" in outcome.err
