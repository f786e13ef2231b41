"""A run folder after accidents: what is whole is used, what is not is named, and nothing good is lost."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ganctl.loggers.tensorboard import EVENTS
from scripts.soaks.traces import events, numbers, traces
from scripts.soaks.warm import Warm
from tests.behaviours.runs import TINY

RUN = Path("outputs/run")
HALF = ["train", *TINY, "train.steps=20", "logging.every=1", "sample.every=10", "checkpoint.every=5"]
WHOLE = [*HALF, "train.steps=30"]


@pytest.fixture(scope="module")
def uninterrupted(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert warm.finish(folder, *WHOLE)[0] == 0
    return folder / RUN


@pytest.fixture(scope="module")
def half(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("half")
    assert warm.finish(folder, *HALF)[0] == 0
    return folder


@pytest.fixture
def damaged(half: Path, tmp_path: Path) -> Path:
    """A folder with a run of 20 steps, to be damaged."""
    shutil.copytree(half, tmp_path, symlinks=True, dirs_exist_ok=True)
    return tmp_path


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lose(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [cut, lose])
def test_a_lost_status_costs_nothing(
    warm: Warm, damage: Callable[[Path], None], uninterrupted: Path, damaged: Path
) -> None:
    damage(damaged / RUN / "run.json")
    code, out, err = warm.finish(damaged, *WHOLE)
    assert (code, err) == (0, "")
    assert "resumed at step 20" in out
    assert traces(damaged / RUN) == traces(uninterrupted)
    assert json.loads((damaged / RUN / "run.json").read_text())["status"] == "complete"


@pytest.mark.parametrize("damage", [cut, flip, lose])
def test_a_bad_checkpoint_is_named_never_loaded_and_the_one_before_is_used(
    warm: Warm, damage: Callable[[Path], None], uninterrupted: Path, damaged: Path
) -> None:
    newest = damaged / RUN / "checkpoints/step-00000020.safetensors"
    damage(newest)
    bad = newest.read_bytes() if newest.exists() else b""
    code, out, err = warm.finish(damaged, *WHOLE, "train.steps=17")
    assert (code, err) == (0, "")
    assert "resumed at step 15" in out
    assert ("passed over a damaged checkpoint" in out and newest.name in out) == bool(bad)
    assert (newest.read_bytes() if newest.exists() else b"") == bad
    assert warm.finish(damaged, *WHOLE)[0] == 0
    ends = [traces(run) for run in (damaged / RUN, uninterrupted)]
    assert ends[0]["pictures"].pop("step-00000017.png")  # a run draws its last step, also if it goes on later
    assert ends[0]["images"].pop(1)[0] == 17
    assert ends[0] == ends[1]


@pytest.mark.parametrize("name", ["metrics.jsonl", EVENTS])
@pytest.mark.parametrize("damage", [cut, lose])
def test_numbers_that_are_missing_are_named_and_the_rest_follows_readably(
    warm: Warm, damage: Callable[[Path], None], name: str, uninterrupted: Path, damaged: Path
) -> None:
    damage(damaged / RUN / name)
    code, out, err = warm.finish(damaged, *WHOLE)
    assert (code, err) == (0, "")
    assert f"{RUN / name}: " in out
    assert "bytes that were logged earlier are missing" in out
    rows = numbers(damaged / RUN)
    scalars = [event.step for event in events(damaged / RUN).Scalars("loss/generator")]
    steps = [row["step"] for row in rows]
    for found, mended in ((steps, name == "metrics.jsonl"), (scalars, name == EVENTS)):
        assert found[-10:] == list(range(21, 31))
        assert found == sorted(set(found))
        assert (len(found) < 30) == mended
    assert traces(damaged / RUN)["tensors"] == traces(uninterrupted)["tensors"]


def test_a_clock_that_jumps_back_a_year_changes_neither_order_nor_numbers(
    warm: Warm, uninterrupted: Path, damaged: Path
) -> None:
    (damaged / "clock.py").write_text("import time\nnow = time.time\ntime.time = lambda: now() - 365 * 86400\n")
    code, _, err = warm.finish(damaged, *WHOLE, "plugins=[clock]")
    assert (code, err) == (0, "")
    assert traces(damaged / RUN) == traces(uninterrupted)
    rows = map(json.loads, (damaged / RUN / "metrics.jsonl").read_text().splitlines())
    assert all(row["images_per_second"] > 0 for row in rows)


def test_what_makes_a_run_not_bit_exact_is_said_once_and_recorded_for_good(warm: Warm, damaged: Path) -> None:
    code, out, err = warm.finish(damaged, "resume", str(RUN), "train.steps=25", "device.precision=fp64")
    assert (code, err) == (0, "")
    (line,) = [line for line in out.splitlines() if line.startswith("not bit-exact from step 20 on: ")]
    reason = line.removeprefix("not bit-exact from step 20 on: ")
    lose(damaged / RUN / "run.json")
    code, out, _ = warm.finish(damaged, "resume", str(RUN), "train.steps=30", "device.precision=fp64")
    assert code == 0
    assert "not bit-exact" not in out
    status = json.loads((damaged / RUN / "run.json").read_text())
    assert status["not_bit_exact"] == [{"from_step": 20, "because": reason}]
    assert "precision" in reason
