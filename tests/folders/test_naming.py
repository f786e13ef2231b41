"""Runs on data of the user's own: each set has its run, wherever it lies and whatever it is called."""

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import TINY, Cli, Outcome

WORDS = [word for word in TINY if not word.startswith("data")]
ENDING = "mlp-nonsaturating"


@pytest.fixture(autouse=True)
def _sets(workspace: Path) -> None:
    for number, name in enumerate(("horses", "cats/train", "dogs/train")):
        path = Path(f"{name}.npy")
        path.parent.mkdir(exist_ok=True)
        np.save(path, np.random.default_rng(number).normal(size=(16, 2)).astype(np.float32))


def train(cli: Cli, path: str, *words: str) -> Outcome:
    return cli("train", *WORDS, "data=array", f"data.path={path}", *words)


def runs() -> list[str]:
    return sorted(path.name for path in Path("outputs").iterdir() if path.is_dir())


def test_each_set_has_a_run_of_its_own_that_its_command_finds_again(cli: Cli) -> None:
    paths = ("horses.npy", "cats/train.npy", "dogs/train.npy")
    for path in paths:
        outcome = train(cli, path)
        assert (outcome.code, outcome.err) == (0, "")
        assert "(new, 1 step)" in outcome.out
    found = runs()
    assert [name.partition("-")[0] for name in found] == ["horses", "train", "train"]
    assert found[2].startswith(f"{found[1]}-")
    for path in paths:
        assert "is complete" in train(cli, path).out
        assert "resumed at step 1" in train(cli, path, "train.steps=2").out
    assert runs() == found


def test_a_complete_run_says_so_without_loading_its_data(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train(cli, "horses.npy").code == 0
    Path("horses.npy").unlink()
    assert "is complete" in train(cli, "horses.npy").out


def test_a_set_that_moved_or_was_renamed_goes_on_with_its_run(cli: Cli) -> None:
    assert train(cli, "horses.npy").code == 0
    found = runs()
    place = Path("horses.npy")
    for steps, other in ((2, "elsewhere/horses.npy"), (3, "elsewhere/ponies-2.npy")):
        Path(other).parent.mkdir(exist_ok=True)
        place = place.rename(other)
        for _ in range(2):
            outcome = train(cli, other, f"train.steps={steps}")
            assert (outcome.code, outcome.err) == (0, "")
        assert "is complete" in outcome.out
    assert runs() == found


def test_a_run_under_the_name_that_earlier_versions_gave_is_found(cli: Cli) -> None:
    assert train(cli, "horses.npy").code == 0
    (new,) = runs()
    old = new.replace("horses", "array")
    Path("outputs", new).rename(f"outputs/{old}")
    assert f"outputs/{old} is complete" in train(cli, "horses.npy").out
    assert f"outputs/{old} (resumed at step 1" in train(cli, "./horses.npy", "train.steps=2").out
    assert train(cli, "cats/train.npy").code == 0
    assert [name.partition("-")[0] for name in runs()] == ["array", "train"]


def test_a_sweep_keeps_apart_from_runs_without_its_name(cli: Cli) -> None:
    assert train(cli, "horses.npy,cats/train.npy", "-m", "name=exp").code == 0
    assert train(cli, "horses.npy").code == 0
    names = [name.partition(f"-{ENDING}")[0] for name in runs() if ENDING in name]
    assert names == ["exp-horses", "exp-train", "horses"]


@pytest.mark.parametrize("saved", [True, False])
def test_another_set_under_a_given_name_is_refused_by_both_paths(saved: bool, cli: Cli) -> None:
    assert train(cli, "horses.npy", "name=mine").code == 0
    if not saved:
        (Path("outputs/mine/checkpoints/step-00000001.safetensors")).unlink()
    outcome = train(cli, "cats/train.npy", "name=mine")
    assert outcome.code == 3
    assert "outputs/mine was trained on horses.npy, and cats/train.npy holds other samples" in outcome.err
    assert "another name=" in outcome.err


@pytest.mark.parametrize("words", [[], ["name=mine"]])
def test_a_set_that_changed_is_told_so(words: list[str], cli: Cli) -> None:
    assert train(cli, "horses.npy", *words).code == 0
    np.save("horses.npy", np.zeros((16, 2), np.float32))
    for path in ("horses.npy", "./horses.npy") if words else ("horses.npy",):
        outcome = train(cli, path, *words, "train.steps=2")
        assert outcome.code == 3
        assert "horses.npy has changed since outputs/" in outcome.err
