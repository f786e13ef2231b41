"""Signals at awkward moments: while data is loaded, in a step, in a picture, in a save, before anything runs."""

import json
import signal
import time
from pathlib import Path

import pytest

from scripts.soaks.traces import last_step, start, traces
from scripts.soaks.warm import Warm
from tests.behaviours.moments import signal_itself
from tests.behaviours.runs import TINY, wait_for_step

TWENTY = ["train", *TINY, "train.steps=20", "logging.every=1", "sample.every=10", "checkpoint.every=5"]
RUN = Path("outputs/run")


@pytest.fixture(scope="module")
def uninterrupted(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert warm.finish(folder, *TWENTY)[0] == 0
    return folder / RUN


def run_signalled(
    warm: Warm, folder: Path, moment: str, calls: int, number: signal.Signals
) -> tuple[int, str, str]:
    return warm.finish(folder, *TWENTY, signal_itself(folder, moment, calls, number))


@pytest.mark.parametrize(
    ("moment", "calls", "saved"), [("step", 8, 8), ("picture", 1, 10), ("save", 2, 10), ("synced", 4, 10)]
)
def test_a_signal_leaves_a_whole_checkpoint_wherever_it_falls(
    warm: Warm, moment: str, calls: int, saved: int, uninterrupted: Path, tmp_path: Path
) -> None:
    number = signal.SIGTERM if calls % 4 == 0 else signal.SIGINT
    code, _, err = run_signalled(warm, tmp_path, moment, calls, number)
    assert (code, err.count("\n")) == (128 + number, 1)
    assert f"{number.name} after step {saved}, which is saved" in err
    assert (tmp_path / RUN / f"checkpoints/step-{saved:08d}.safetensors").exists()
    code, out, err = warm.finish(tmp_path, *TWENTY)
    assert (code, err) == (0, "")
    assert f"resumed at step {saved}" in out
    assert traces(tmp_path / RUN) == traces(uninterrupted)


LONG = ["train", *TINY, "train.steps=3", "train.n_dis=80", "logging.every=1", "sample.every=3"]


@pytest.fixture(scope="module")
def uninterrupted_long(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long")
    assert warm.finish(folder, *LONG)[0] == 0
    return folder / RUN


def test_a_signal_in_a_step_of_many_updates_saves_the_state_before_the_step(
    warm: Warm, uninterrupted_long: Path, tmp_path: Path
) -> None:
    word = signal_itself(tmp_path, "update", 100, signal.SIGINT)
    code, _, err = warm.finish(tmp_path, *LONG, word)
    assert code == 130
    assert "SIGINT after step 1, which is saved" in err
    code, out, err = warm.finish(tmp_path, *LONG)
    assert (code, err) == (0, "")
    assert "resumed at step 1" in out
    assert traces(tmp_path / RUN) == traces(uninterrupted_long)


def test_sigusr1_in_a_step_of_many_updates_saves_the_state_before_it_and_goes_on(
    warm: Warm, uninterrupted_long: Path, tmp_path: Path
) -> None:
    code, out, err = warm.finish(tmp_path, *LONG, signal_itself(tmp_path, "update", 200, signal.SIGUSR1))
    assert (code, err) == (0, "")
    assert "saved step 2, as SIGUSR1 asked for" in out
    assert traces(tmp_path / RUN) == traces(uninterrupted_long)


def test_a_signal_while_data_is_loaded_ends_at_once_and_leaves_nothing(warm: Warm, tmp_path: Path) -> None:
    code, _, err = run_signalled(warm, tmp_path, "load", 1, signal.SIGTERM)
    assert (code, err) == (143, "ganctl: stopped by SIGTERM\n")
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize(
    ("moment", "calls", "saved", "number"),
    [
        ("load", 1, 1, signal.SIGUSR1),
        ("step", 8, 8, signal.SIGUSR1),
        ("step", 8, 8, signal.SIGUSR2),
        ("save", 2, 10, signal.SIGUSR1),
    ],
)
def test_a_warning_saves_and_the_run_goes_on(
    warm: Warm, moment: str, calls: int, saved: int, number: signal.Signals, uninterrupted: Path, tmp_path: Path
) -> None:
    code, out, err = run_signalled(warm, tmp_path, moment, calls, number)
    assert (code, err) == (0, "")
    assert f"saved step {saved}, as {number.name} asked for; the run goes on" in out
    assert traces(tmp_path / RUN) == traces(uninterrupted)


def test_sigusr1_does_not_kill_a_process_that_is_still_starting(tmp_path: Path) -> None:
    process = start(tmp_path, *TWENTY, "train.steps=2")
    status = Path(f"/proc/{process.pid}/status")
    while not int(status.read_text().partition("SigCgt:")[2].split()[0], 16) >> (signal.SIGUSR1 - 1) & 1:
        assert process.poll() is None
    process.send_signal(signal.SIGUSR1)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert "saved step 1, as SIGUSR1 asked for" in out


def test_the_default_run_stops_within_ten_seconds(tmp_path: Path) -> None:
    process = start(tmp_path, "train", "name=run", "logging.every=1")
    wait_for_step(process, tmp_path / RUN, 3)
    process.send_signal(signal.SIGTERM)
    started = time.monotonic()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert time.monotonic() - started < 10
    status = json.loads((tmp_path / RUN / "run.json").read_text())
    assert (status["status"], status["step"]) == ("stopped", last_step(tmp_path / RUN))
