"""Sweeps whose jobs Hydra's launchers start in processes of their own."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.conftest import TINY, Cli


def table() -> list[dict[str, str]]:
    (path,) = Path("outputs").glob("sweep-*/sweep.csv")
    return list(csv.DictReader(path.read_text().splitlines()))


@pytest.mark.parametrize(
    ("launcher", "package"), [("joblib", "joblib_launcher"), ("submitit_local", "submitit_launcher")]
)
def test_jobs_run_in_other_processes_and_bring_back_codes_errors_and_scores(
    launcher: str, package: str, workspace: Path, cli: Cli
) -> None:
    pytest.importorskip(f"hydra_plugins.hydra_{package}", reason=f"the launcher {launcher} is not installed")
    scored = ["evaluate.every=1", "evaluate.num=8", "metric/features=raw", "metric=[fid]"]
    words = ["train", *TINY, *scored, "-m", "loss=hinge,wgan", f"launcher={launcher}"]
    outcome = cli(*words)
    assert (outcome.code, outcome.err) == (2, "")
    lines = outcome.out.splitlines()
    assert any(line.startswith("[1/2] loss=hinge: complete, step 1, score ") for line in lines)
    assert any(line.startswith("[2/2] loss=wgan: failed (exit 2) (loss: wgan needs a Lips") for line in lines)
    assert lines[-1] == "1 done, 1 failed: loss=wgan (exit 2)"
    right, wrong = table()
    assert (right["status"], right["step"], right["code"]) == ("complete", "1", "0")
    assert float(right["score"]) >= 0
    assert wrong["why"].startswith("loss: wgan needs a Lipschitz critic")
    (folder,) = Path("outputs").glob("sweep-*")
    assert "done: 1 step" in (folder / "job-0001.log").read_text()
    assert [path.name for path in workspace.iterdir()] == ["outputs"]
    again = cli(*words)
    assert again.code == 2
    assert "[1/2] loss=hinge: complete, step 1, score " in again.out
    assert "as before; sweeper.retry=true runs it again" in again.out
    assert "jobs by launcher" not in again.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["launcher=joblob"], "launcher: there is no 'joblob' (did you mean 'joblib'?)"),
        (["launcher=joblib", "launcher.jobs=0"], "launcher.jobs: must be at least 1, not 0"),
        (["launcher.jobs=x"], "launcher.jobs: must be a whole number"),
        (["sweeper=grod"], "sweeper: there is no 'grod' (did you mean 'grid'?)"),
        (["sweeper=random", "sweeper.trials=0"], "sweeper.trials: must be at least 1, not 0"),
        (["sweeper.trials=3"], "sweeper.trials: unknown key here; it belongs to sweeper=optuna or sweeper=random"),
    ],
)
def test_settings_that_are_wrong_are_one_line(words: list[str], told: str, workspace: Path, cli: Cli) -> None:
    outcome = cli("train", *TINY, "-m", "seed=1,2", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith(f"ganctl: {told}")
    assert not (workspace / "outputs").exists()


@pytest.mark.parametrize("word", ["launcher=joblib", "launcher.jobs=3", "sweeper=random", "sweeper.retry=true"])
def test_they_need_a_sweep(word: str, workspace: Path, cli: Cli) -> None:
    outcome = cli("train", *TINY, word)
    told = f"ganctl: {word}: says how the jobs of a sweep are chosen or started; a sweep needs -m\n"
    assert (outcome.code, outcome.err) == (2, told)


def test_a_launcher_that_is_not_installed_is_named_with_its_extra(workspace: Path, cli: Cli) -> None:
    try:
        import hydra_plugins.hydra_ray_launcher  # noqa: F401
    except ImportError:
        outcome = cli("train", *TINY, "-m", "seed=1,2", "launcher=ray")
        told = "ganctl: launcher: ray is not installed; pip install 'ganctl[ray]', or take another launcher=…\n"
        assert (outcome.code, outcome.err) == (2, told)
    else:
        pytest.skip("the launcher ray is installed")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("+launcher.plugin.qos=high", "launcher.plugin.qos: joblib has no such setting"),
        ("+launcher.plugin.prefer=[1]", "launcher.plugin.prefer: Cannot convert 'list' to string"),
    ],
)
def test_settings_that_the_launcher_does_not_take_are_named(
    word: str, told: str, workspace: Path, cli: Cli
) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the launcher joblib is not installed")
    outcome = cli("train", *TINY, "-m", "seed=1,2", "launcher=joblib", word)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(f"ganctl: {told}")


def test_a_launcher_that_is_refused_a_place_is_one_line_and_jobs_that_ended_count(
    workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    joblib = pytest.importorskip(
        "hydra_plugins.hydra_joblib_launcher._core", reason="the launcher joblib is not installed"
    )
    launch = joblib.execute_job

    def refused(number: int, *job: object) -> object:
        if number == 0:
            return launch(number, *job)
        raise RuntimeError("\n  no queue of this name\n  ask your administrator")

    monkeypatch.setattr(joblib, "execute_job", refused)
    outcome = cli("train", *TINY, "-m", "seed=1,2", "launcher=joblib", "launcher.plugin.n_jobs=1")
    assert (outcome.code, outcome.err) == (2, "ganctl: launcher=joblib: no queue of this name\n")
    assert outcome.out.splitlines()[-1] == "1 done, 0 failed"
    assert [row["status"] for row in table()] == ["complete"]


def weights() -> dict[str, dict[str, torch.Tensor]]:
    found = {}
    for row in table():
        (newest,) = sorted(Path(row["folder"]).glob("checkpoints/step-*.safetensors"))[-1:]
        found[row["words"]] = load_file(newest)
    return found


def test_a_launcher_that_is_killed_leaves_nothing_undone(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the launcher joblib is not installed")
    words = [*TINY, "train.steps=300", "checkpoint.every=20", "logging.every=100", "-m", "seed=1,2"]
    command = [sys.executable, "-m", "ganctl", "train", *words]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    expected = table(), weights()
    (workspace / "outputs").rename(workspace / "whole")
    launched = [*command, "launcher=joblib"]
    process = subprocess.Popen(launched, stdout=subprocess.DEVNULL, start_new_session=True)
    wait_until(lambda: list(Path("outputs").glob("ring-*/checkpoints/step-00000020*")), process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = subprocess.run(launched, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert table() == expected[0]
    there, here = expected[1], weights()
    assert there.keys() == here.keys()
    for words_of_job, tensors in there.items():
        assert all(torch.equal(tensors[key], here[words_of_job][key]) for key in tensors)


def started(words: list[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "ganctl", "train", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(happened: Callable[[], object], process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + 120
    while not happened():
        assert process.poll() is None, "the launcher ended before it could be killed"
        assert time.monotonic() < deadline, "no job has saved"
        time.sleep(0.02)


def test_a_signal_to_the_launcher_stops_its_jobs_after_saving(workspace: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the launcher joblib is not installed")
    words = [*TINY, "train.steps=1000000", "checkpoint.every=50", "-m", "seed=1,2,3", "launcher=joblib"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ganctl", "train", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    saved = "ring-*/checkpoints/step-*.safetensors"
    wait_until(lambda: len({path.parent for path in Path("outputs").glob(saved)}) == 2, process)
    process.terminate()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 143, out + err
    assert err.endswith("ganctl: stopped by SIGTERM\n")
    assert out.splitlines()[-1] == "0 done, 0 failed; 3 stopped, which the same command goes on with"
    assert [row["status"] for row in table()] == ["stopped", "stopped"]
    assert all("which is saved" in row["why"] for row in table())


def test_a_job_that_its_scheduler_takes_away_saves_and_is_queued_again(workspace: Path) -> None:
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="the launcher submitit is not installed")
    words = [*TINY, "train.steps=2000", "checkpoint.every=50", "-m", "seed=range(1,2)", "launcher=submitit_local"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ganctl", "train", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: list(Path("outputs").glob("ring-*/checkpoints/step-00000050*")), process)
    (run,) = Path("outputs").glob("ring-*")
    first = json.loads((run / "run.json").read_text())["process"]
    os.kill(first, signal.SIGUSR2)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, out + err
    told = json.loads((run / "run.json").read_text())
    assert (told["status"], told["step"]) == ("complete", 2000)
    assert told["process"] != first
    assert "as SIGUSR2 asked for" in (run / "run.log").read_text()
    assert [row["status"] for row in table()] == ["complete"]
