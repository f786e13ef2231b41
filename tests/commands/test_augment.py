"""ganctl augment: how many images of each class are written, as what, and what is refused."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganctl.cli import main
from ganctl.data.store import Store
from ganctl.runs.generator import TrainedGenerator
from tests.commands.labelled import save_labelled, train, words_of
from tests.conftest import TINY, Cli
from tests.metrics.measured import source

CPU = ["device=cpu", "device.precision=fp32"]
AUGMENT = ["augment", "run", *CPU]
NAMES = ["ant", "bee/large", "cat"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a conditional run and its data: four images of two classes, and two of the last."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_labelled(NAMES)
        arrays = np.load("labelled.npz")
        kept = np.array([0, 1, 2, 3, 4, 5, 6, 7, 9, 10])
        np.savez("labelled.npz", images=arrays["images"][kept], labels=arrays["labels"][kept])
        assert main(["train", *words_of()]) == 0
    return folder


@pytest.fixture
def there(workspace: Path, trained: Path) -> Path:
    """Work in a copy of this folder."""
    shutil.copytree(trained, workspace, symlinks=True, dirs_exist_ok=True)
    return workspace


def done(cli: Cli, *words: str) -> str:
    outcome = cli(*words)
    assert (outcome.code, outcome.err) == (0, "")
    return outcome.out


def read(path: str) -> Store:
    """Return the set as data=folder reads it."""
    return source("folder", path=path, resolution=8, channels=1).load()


def counts(store: Store) -> dict[str, int]:
    assert store.labels is not None
    return dict(zip(store.classes, torch.bincount(store.labels).tolist(), strict=True))


@pytest.mark.parametrize("out", ["made", "made.zip"])
def test_a_set_is_read_again_with_its_classes_as_many_of_each(there: Path, cli: Cli, out: str) -> None:
    told = done(cli, *AUGMENT, "num=3", f"out={out}")
    assert told.startswith(f"9 generated images of 3 classes: {out}\n")
    assert f"ganctl train data=folder data.path={out}" in told
    found = counts(read(out))
    assert [*found.values()] == [3, 3, 3]
    assert [name[:3] for name in found] == ["ant", "bee", "cat"]


def test_its_images_are_those_that_the_generator_draws_whatever_the_batch(
    there: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[TrainedGenerator] = []
    rows = TrainedGenerator.rows

    def noted(self: TrainedGenerator, *given: torch.Tensor) -> torch.Tensor:
        seen.append(self)
        return rows(self, *given)

    monkeypatch.setattr(TrainedGenerator, "rows", noted)
    done(cli, *AUGMENT, "num=3", "seed=5", "class=[cat,ant]", "batch_size=4", "out=made")
    assert len(seen) == 2
    expected = rows(seen[0], seen[0].draw_latents(6, 5), torch.tensor([2, 2, 2, 0, 0, 0]))
    for number, folder in enumerate(["cat"] * 3 + ["ant"] * 3):
        pixels = np.asarray(Image.open(f"made/{folder}/fake-{number:06d}.png"))
        assert (pixels == expected[number, :, :, 0].numpy()).all()


def test_equal_questions_give_equal_archives(there: Path, cli: Cli) -> None:
    for name in ("first.zip", "second.zip"):
        done(cli, *AUGMENT, "num=2", f"out={name}")
    assert Path("first.zip").read_bytes() == Path("second.zip").read_bytes()


def test_fill_gives_scarce_classes_what_they_lack(there: Path, cli: Cli) -> None:
    done(cli, *AUGMENT, "fill=true", "out=lacking")
    assert [path.name for path in Path("lacking").iterdir()] == ["cat"]
    assert len([*Path("lacking/cat").iterdir()]) == 2
    done(cli, *AUGMENT, "fill=true", "real=true", "num=5", "out=whole.zip")
    assert [*counts(read("whole.zip")).values()] == [5, 5, 5]
    with zipfile.ZipFile("whole.zip") as archive:
        names = archive.namelist()
    assert sum("real-" in name for name in names) == 10
    with zipfile.ZipFile("whole.zip") as archive, archive.open("ant/real-000003.png") as file:
        pixels = np.asarray(Image.open(file))
    assert (pixels == np.load("labelled.npz")["images"][3, :, :, 0]).all()


def test_without_a_name_it_is_a_folder_of_the_run_that_tells_what_was_asked(there: Path, cli: Cli) -> None:
    done(cli, *AUGMENT, "class=ant", "seed=3", "num=1")
    done(cli, *AUGMENT, "class=ant", "seed=3", "num=2")
    folders = sorted(path.name for path in Path("outputs/run/augmented").iterdir())
    assert len(folders) == 2
    assert all(name.startswith("step-00000001-seed-3-class-ant-") for name in folders)


def test_what_is_there_already_is_kept(there: Path, cli: Cli) -> None:
    Path("taken").mkdir()
    Path("taken/mine.png").write_bytes(b"mine")
    for out in ("taken", "labelled.npz.zip"):
        if out.endswith(".zip"):
            Path(out).write_bytes(b"mine")
        outcome = cli(*AUGMENT, f"out={out}")
        assert (outcome.code, outcome.err) == (
            2,
            f"ganctl: out: {out} is there already; remove it, or name another place\n",
        )
    assert [path.name for path in Path("taken").iterdir()] == ["mine.png"]
    Path("empty").mkdir()
    done(cli, *AUGMENT, "num=1", "out=empty")


def test_nothing_is_left_of_a_set_that_could_not_be_finished(
    there: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = iter([TrainedGenerator.rows])

    def once(self: TrainedGenerator, *given: torch.Tensor) -> torch.Tensor:
        for rows in drawn:
            return rows(self, *given)
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainedGenerator, "rows", once)
    for out in ("made", "made.zip"):
        before = set(there.iterdir())
        assert cli(*AUGMENT, "batch_size=2", f"out={out}").code == 130
        assert set(there.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["class=dog"], "class: unknown class 'dog'"),
        (["num=400000"], "num: would generate 1,200,000 images of all classes; the most is 1,000,000"),
        (["fill=true", "num=1"], "fill: each of these classes has 1 real images or more; take a larger num"),
        (["out=made.png"], "out: made.png would be a file of another kind than .zip"),
    ],
)
def test_bad_requests_are_one_line(there: Path, cli: Cli, words: list[str], told: str) -> None:
    outcome = cli(*AUGMENT, *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(f"ganctl: {told}")


def test_models_without_classes_and_points_are_refused(workspace: Path, cli: Cli) -> None:
    train(cli, NAMES, conditional=False)
    outcome = cli(*AUGMENT)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith("ganctl: class: the model of this run is not conditional")
    assert cli("train", *TINY, "name=points").code == 0
    outcome = cli("augment", "points", *CPU)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith("ganctl: augment: writes images")
