"""Runs that end before their last step: no better score for long, and a time limit."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from ganctl.runs import limits
from tests.conftest import TINY, Cli

SCORED = ["evaluate.every=2", "evaluate.num=8", "metric/features=raw", "metric=[sliced_wasserstein]"]
RUN = Path("outputs/run")


class Clock:
    """A clock that a test sets; each look at it takes a second."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


def status() -> dict[str, object]:
    return json.loads((RUN / "run.json").read_text())


def worse_and_worse(monkeypatch: pytest.MonkeyPatch, best: int) -> None:
    """Let every evaluation after a step score worse than the one before."""
    from ganctl.runs.evaluation import Evaluation

    original = Evaluation.measure
    count = iter(range(1, 1000))

    def measure(self: Evaluation, network: object) -> object:
        found = original(self, network)  # type: ignore[arg-type]
        step = 2 * next(count)
        value = abs(step - best) + 1.0
        return type(found)(found.numbers, found.baseline, found.score.model_copy(update={"value": value}))

    monkeypatch.setattr(Evaluation, "measure", measure)


def test_a_run_whose_score_gets_no_better_ends_with_its_last_numbers_and_image(
    workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    worse_and_worse(monkeypatch, best=4)
    words = ["train", *TINY, *SCORED, "name=run", "train.steps=30", "train.patience=3", "sample.every=7"]
    outcome = cli(*words)
    assert outcome.code == 0, outcome.err
    assert "10 steps" in outcome.out.splitlines()[-1]
    assert "ended early: no better score for 3 evaluations since step 4" in outcome.out
    told = status()
    assert (told["status"], told["step"], told["saved"]) == ("complete", 10, 10)
    assert (RUN / "samples/step-00000010.png").exists()
    rows = [json.loads(line) for line in (RUN / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["step"] == 10
    again = cli(*words)
    assert again.code == 0
    assert status()["step"] == 10
    shown = cli("show", "run")
    assert "complete, no better score for 3 evaluations since step 4" in shown.out


def test_more_patience_lets_it_go_on(workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    worse_and_worse(monkeypatch, best=2)
    words = ["train", *TINY, *SCORED, "name=run", "train.steps=10"]
    assert cli(*words, "train.patience=1").code == 0
    assert status()["step"] == 4
    assert cli(*words, "train.patience=9").code == 0
    assert (status()["step"], status()["ended"]) == (10, None)


def test_a_time_limit_saves_and_the_same_command_goes_on_bit_for_bit(
    workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["train", *TINY, "train.steps=8", "train.max_time=4s"]
    monkeypatch.setattr(limits, "time", Clock())
    first = cli(*words, "name=run")
    assert (first.code, first.err) == (
        6,
        "ganctl: train.max_time=4s is reached after step 4, which is saved; the same command goes on from there\n",
    )
    assert (status()["status"], status()["saved"]) == ("stopped", 4)
    monkeypatch.setattr(limits, "time", Clock())
    assert cli(*words, "name=run").code == 0  # it is reached with the last step
    monkeypatch.undo()
    monkeypatch.chdir(workspace)
    assert cli(*words[:-1], "name=run").code == 0
    assert cli(*words[:-1], "name=whole").code == 0
    whole, cut = (load_file(f"outputs/{name}/checkpoints/step-00000008.safetensors") for name in ("whole", "run"))
    assert whole.keys() == cut.keys()
    assert all(torch.equal(whole[key], cut[key]) for key in whole)


@pytest.mark.parametrize("limit", ["90", "1:30", "-1s", "1e3s", "5w", "٣s"])
def test_a_time_limit_needs_a_unit(limit: str, workspace: Path, cli: Cli) -> None:
    outcome = cli("train", *TINY, f"train.max_time={limit}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "train.max_time" in outcome.err
    assert "such as 90s, 30m, 7.5h or 2d" in outcome.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "train.patience: counts evaluations; set evaluate.every, or train.patience=null"),
        (
            ["evaluate.every=1", "metric/features=raw", "metric=[nearest_neighbour]"],
            "train.patience: no metric here says which score is better; add one, such as metric=[fid]",
        ),
    ],
)
def test_patience_needs_scores(words: list[str], told: str, workspace: Path, cli: Cli) -> None:
    outcome = cli("train", *TINY, "train.patience=1", *words)
    assert (outcome.code, outcome.err) == (2, f"ganctl: {told}\n")
