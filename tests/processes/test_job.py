"""Processes that train one run as torchrun starts them: they end together, one says why, and the run goes on."""

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ganctl.errors import Stopped
from ganctl.models.parts.batch_norm import BatchNorm2d, synchronise
from ganctl.processes.ranks import Ranks
from scripts.soaks.warm import Started, Warm
from scripts.soaks.worlds import met, started
from tests.conftest import TINY, Cli, contents

LONG = [
    *("train", *TINY, "device.precision=fp64", "penalty=[r1]", "penalty.r1.every=4", "train.steps=300"),
    *("checkpoint.every=60", "logging.every=10", "train.batch_size=8"),
]


NAMES = ("broken", "whole")


@pytest.fixture
def meeting() -> Iterator[dict[str, str]]:
    """Hold a store for one job."""
    with met(2) as variables:
        yield variables


def ended(job: list[Started]) -> tuple[list[int | None], list[str], list[str]]:
    """Return exit codes, and what each printed on standard output and error."""
    said = [rank.communicate() for rank in job]
    return [rank.returncode for rank in job], [out for out, _ in said], [err for _, err in said]


def once(there: Callable[[], object], job: list[Started]) -> None:
    """Wait until something is there."""
    deadline = time.monotonic() + 90
    while not there():
        assert time.monotonic() < deadline
        assert [rank.poll() for rank in job] == [None, None]
        time.sleep(0.05)


def test_what_all_have_wrong_is_said_once_and_all_end_with_its_code(
    warm: Warm, meeting: dict[str, str], workspace: Path
) -> None:
    codes, out, err = ended(started(warm, meeting, workspace, ["train", *TINY, "train.batch_size=5"]))
    told = "ganctl: train.batch_size: 5 does not divide among 2 processes; take 4\n"
    assert (codes, out, "".join(err)) == ([2, 2], ["", ""], told)
    assert contents(workspace) == {}


def test_ranks_with_other_configs_are_refused(warm: Warm, meeting: dict[str, str], workspace: Path) -> None:
    losses = ("nonsaturating", "hinge")
    job = [
        warm.start(workspace, "train", *TINY, f"loss={loss}", **meeting, RANK=str(rank))
        for rank, loss in enumerate(losses)
    ]
    codes, out, err = ended(job)
    assert (codes, out, err[1]) == ([2, 2], ["", ""], "")
    assert err[0].startswith("ganctl: torchrun: rank 1 has loss.name=hinge, rank 0 loss.name=nonsaturating; ")
    assert contents(workspace) == {}


@pytest.mark.parametrize("words", [["sample", "outputs/run"], ["train", "-m", "seed=1,2"]])
def test_what_is_done_by_one_process_is_refused(
    words: list[str], meeting: dict[str, str], workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in (meeting | {"RANK": "0"}).items():
        monkeypatch.setenv(key, value)
    outcome = cli(*words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "torchrun" in outcome.err


def test_stopped_and_killed_it_goes_on_bit_for_bit(warm: Warm, workspace: Path) -> None:
    saved = Path("outputs/broken/checkpoints")
    with met(2) as meeting:
        job = started(warm, meeting, workspace, [*LONG, "name=broken"])
        once((saved / "step-00000060.safetensors").exists, job)
        job[1].send_signal(signal.SIGTERM)
        codes, out, err = ended(job)
    assert (codes, out[1], err[1]) == ([143, 143], "", "")
    newest = max(saved.glob("step-*"))
    step = int(newest.stem.removeprefix("step-"))
    assert err[0].startswith(f"ganctl: stopped by SIGTERM after step {step}, which is saved")
    assert json.loads(Path("outputs/broken/run.json").read_text())["status"] == "stopped"
    with met(2) as meeting:
        job = started(warm, meeting, workspace, [*LONG, "name=broken"])
        once(lambda: max(saved.glob("step-*.safetensors")) > newest, job)
        job[1].send_signal(signal.SIGKILL)
        codes, out, err = ended(job)
    assert codes == [7, -signal.SIGKILL]
    assert f"resumed at step {step}" in out[0]
    assert err[0].startswith("ganctl: rank 1 of 2: gone, or without an answer; the same command goes on")
    assert err[0].count("\n") == 1
    for name in NAMES:
        with met(2) as meeting:
            codes, out, err = ended(started(warm, meeting, workspace, [*LONG, f"name={name}"]))
        assert (codes, out[1], err) == ([0, 0], "", ["", ""])
    broken, whole = (load_file(f"outputs/{name}/checkpoints/step-00000300.safetensors") for name in NAMES)
    assert broken.keys() == whole.keys()
    assert [key for key in whole if not torch.equal(broken[key], whole[key])] == []
    assert numbers("broken") == numbers("whole")
    assert json.loads(Path("outputs/broken/run.json").read_text())["not_bit_exact"] == []
    with met(2) as meeting:
        words = ["resume", "outputs/whole", "device=cpu", "train.steps=301"]
        codes, out, err = ended(started(warm, meeting, workspace, words))
    assert (codes, out[1], err) == ([0, 0], "", ["", ""])
    assert "resumed at step 300" in out[0]


def numbers(name: str) -> list[dict[str, float]]:
    """Return what a run logged, but for what depends on the clock."""
    lines = [json.loads(line) for line in Path(f"outputs/{name}/metrics.jsonl").read_text().splitlines()]
    return [{key: line[key] for key in line if key not in ("images_per_second", "data_wait")} for line in lines]


def test_a_rank_that_hangs_is_named(warm: Warm, meeting: dict[str, str], workspace: Path) -> None:
    job = started(warm, meeting, workspace, [*LONG, "name=broken", "device.timeout=3"])
    once(Path("outputs/broken/checkpoints/step-00000060.safetensors").exists, job)
    job[1].send_signal(signal.SIGSTOP)
    out, err = job[0].communicate()
    job[1].send_signal(signal.SIGKILL)
    job[1].communicate()
    assert (job[0].returncode, err.count("\n")) == (7, 1), out
    assert err.startswith("ganctl: rank 1 of 2: gone, or without an answer")


def test_batch_norm_of_a_plugin_is_synchronised_too() -> None:
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(3), torch.nn.Linear(2, 2))
    synchronise(network, Ranks(1, 2))
    norm = network[0]
    assert isinstance(norm, BatchNorm2d)
    assert norm.ranks == Ranks(1, 2)


def test_a_signal_before_they_have_met_is_said_once(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    def stopped(signals: object) -> None:
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr("ganctl.cli._job", stopped)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    for rank, told in enumerate(["ganctl: stopped by SIGTERM\n", ""]):
        monkeypatch.setenv("RANK", str(rank))
        outcome = cli("train")
        assert (outcome.code, outcome.err) == (143, told)
