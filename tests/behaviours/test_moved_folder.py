"""A run folder that is renamed, or replaced by another, while a process trains in it."""

import shutil
from operator import attrgetter
from pathlib import Path

import pytest

from ganctl.errors import MovedError
from ganctl.folders.run_folder import RunFolder
from ganctl.runs import runner
from tests.conftest import TINY, Cli, contents

RUN, AWAY = Path("outputs/run"), Path("outputs/away")
DUE = {
    "a line of numbers": ["logging.every=1", "checkpoint.every=0"],
    "a checkpoint": ["logging.every=9", "checkpoint.every=1"],
    "an image": ["logging.every=9", "checkpoint.every=0", "sample.every=1", "sample.num=1"],
}


def rename() -> None:
    RUN.rename(AWAY)


def replace() -> None:
    RUN.rename(AWAY)
    shutil.copytree(AWAY, RUN)


@pytest.mark.parametrize("move", [rename, replace])
@pytest.mark.parametrize("due", DUE)
def test_nothing_is_written_by_the_old_name(
    due: str, move: object, trained: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(move)
    step = runner.train_step
    before: dict[str, bytes | None] = {}

    def moved(*arguments: object) -> None:
        step(*arguments)  # type: ignore[arg-type]
        if not AWAY.exists():
            move()
            before.update(contents(Path("outputs")))

    monkeypatch.setattr(runner, "train_step", moved)
    outcome = cli("resume", str(RUN), "train.steps=4", "checkpoint.keep=1", *DUE[due])
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert "outputs/run: was renamed, removed or replaced while this process trained in it" in outcome.err
    after = contents(Path("outputs"))
    changed = {name for name in before.keys() | after.keys() if before.get(name, b"-") != after.get(name, b"-")}
    assert changed <= {"away/run.log", "away/metrics.jsonl", "away/events.out.tfevents.0.ganctl"}


def test_an_evaluation_of_a_run_that_moved_meanwhile_leaves_no_best_checkpoint(
    workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure = runner.Evaluation.measure
    before: dict[str, bytes | None] = {}

    def moved(*arguments: object) -> object:
        replace()
        before.update(contents(RUN))
        return measure(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(runner.Evaluation, "measure", moved)
    words = ["evaluate.every=1", "evaluate.num=8", "metric/features=raw", "data.num=64"]
    outcome = cli("train", *TINY, "name=run", *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "outputs/run: was renamed, removed or replaced" in outcome.err
    assert contents(RUN) == before


@pytest.mark.parametrize("act", ["write_status", "sweep", "checkpoints.prune", "claim"])
def test_every_write_asks_whether_the_folder_is_still_the_locked_one(act: str, trained: Path) -> None:
    folder = RunFolder(RUN)
    arguments = {"write_status": ({},), "sweep": (), "checkpoints.prune": (None, 1), "claim": (None,)}[act]
    with folder.locked():
        replace()
        before = contents(Path("outputs"))
        with pytest.raises(MovedError):
            attrgetter(act)(folder)(*arguments)
        assert contents(Path("outputs")) == before


def test_a_folder_that_is_back_under_its_name_is_the_same(trained: Path) -> None:
    folder = RunFolder(RUN)
    with folder.locked():
        rename()
        RUN.symlink_to(AWAY.name)
        folder.write_status({"status": "running"})
    assert folder.read_status()["status"] == "running"


def test_a_run_that_another_process_is_about_to_finish_is_left_to_it(trained: Path, cli: Cli) -> None:
    folder = RunFolder(RUN)
    status = RUN / "run.json"
    status.write_text('{"status": "running"}')
    with folder.locked():
        before = status.read_bytes()
        assert cli("train", *TINY, "name=run").code == 0
        assert status.read_bytes() == before
    assert cli("train", *TINY, "name=run").code == 0
    assert folder.read_status()["status"] == "complete"
