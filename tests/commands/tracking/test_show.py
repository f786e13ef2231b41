"""ganctl show: all of one run, and how it goes on."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from tests.conftest import Cli
from tests.written_runs import evaluation, row, trained_in, write_best, written

RUN = Path("outputs/run")


def test_it_tells_what_the_folder_holds(workspace: Path, cli: Cli) -> None:
    written(RUN, "stopped", 40, evaluations=[evaluation(5.0)])
    write_best(RUN)
    (RUN / "run.log").write_text(
        "2026-01-01 10:00:00  health  the discriminator has won\n2026-01-01 10:00:01  x\n"
    )
    outcome = cli("show", "run")
    assert (outcome.code, outcome.err) == (0, "")
    lines = [line.rstrip() for line in outcome.out.splitlines()]
    for line in (
        "status    stopped",
        "step      40/100, 40 %",
        "speed     50 images per second",
        "time      steps 0:20",
        "numbers   loss D 0.500  G 1.500",
        "warning   2026-01-01 10:00:00  health  the discriminator has won",
        "best      fid 4.5 at step 50 (lower is better)",
        "settings  data=digits model=dcgan model.latent=64 loss=hinge seed=0",
        "with      torch 2.11",
        "sample    ganctl sample outputs/run",
        "resume    ganctl resume outputs/run",
    ):
        assert line in lines
    assert "│ fid    │ fid    │ 5 ± 0.25     │ 0.1          │ 100  │ 60, raw           │" in lines


def test_a_real_run_is_shown_and_its_commands_work(trained: Path, cli: Cli) -> None:
    out = cli("show", "latest").out
    sample = next(line for line in out.splitlines() if line.startswith("sample"))
    assert cli(*sample.split()[2:], "num=2", "device=cpu").code == 0
    document = json.loads(cli("show", "latest", "--json").out)
    assert document["status"] == "complete"
    assert document["checkpoints"][0]["name"] == "step-00000001.safetensors"


@pytest.fixture
def ends_after_two_looks(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a run train on while it is looked at, and be complete at the third look."""
    written(RUN, "running", 40, process=os.getpid())
    with ExitStack() as held:
        held.enter_context(trained_in(RUN))
        looks: list[float] = []

        def pass_time(seconds: float) -> None:
            looks.append(seconds)
            if len(looks) == 2:
                held.close()
                written(RUN)
            else:
                with (RUN / "metrics.jsonl").open("a") as log:
                    log.write(row(70))

        monkeypatch.setattr("ganctl.commands.tracking.show.time.sleep", pass_time)
        yield


@pytest.mark.usefixtures("ends_after_two_looks")
def test_following_prints_a_line_a_change_and_ends_with_the_run(cli: Cli) -> None:
    outcome = cli("show", "run", "--follow")
    assert (outcome.code, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[0].startswith("run: running, step 40/100  50 img/s  loss D 0.500  G 1.500  left 0:12")
    assert lines[1].startswith("run: running, step 70/100")
    assert lines[2].startswith("run: complete, step 100/100")
    assert lines[3:5] == ["run       outputs/run", "status    complete"]


@pytest.mark.usefixtures("ends_after_two_looks")
def test_following_in_a_terminal_redraws_one_picture(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Console(file=StringIO(), force_terminal=True, width=80, _environ={})
    monkeypatch.setattr("ganctl.commands.tracking.show.console", lambda: terminal)
    assert cli("show", "run", "--follow").code == 0
    assert isinstance(terminal.file, StringIO)
    drawn = terminal.file.getvalue()
    assert drawn.index("40/100") < drawn.index("70/100") < drawn.index("100/100")


def test_following_a_run_that_has_ended_shows_it(workspace: Path, cli: Cli) -> None:
    written(RUN)
    assert cli("show", "run", "--follow").out == cli("show", "run").out


def test_ctrl_c_ends_following_as_it_ends_any_command(
    workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(RUN, "running", 40, process=os.getpid())
    monkeypatch.setattr(
        "ganctl.commands.tracking.show.time.sleep", lambda seconds: os.kill(os.getpid(), signal.SIGINT)
    )
    with trained_in(RUN):
        outcome = cli("show", "run", "--follow")
    assert (outcome.code, outcome.err) == (130, "ganctl: stopped by SIGINT\n")


def test_a_folder_that_vanishes_ends_following(workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    written(RUN, "running", 40, host="far-away")
    monkeypatch.setattr("ganctl.commands.tracking.show.time.sleep", lambda seconds: RUN.rename("outputs/gone"))
    outcome = cli("show", "run", "--follow")
    assert (outcome.code, outcome.err) == (0, "")
    assert "note      run.json: is missing or empty" in outcome.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], 2, "show: which run? ganctl show outputs/<run>"),
        (["run", "other"], 2, "other: show takes one run; `ganctl compare` takes several"),
        (["run", "--json", "--follow"], 2, "--json: one document, which cannot follow a run"),
        (["rum"], 4, "rum: no run folder (neither here nor below outputs/) (did you mean 'run'?)"),
        (["outputs"], 4, "outputs: no run folder (it has no config.yaml)"),
        (["outputs/run/a.safetensors"], 4, "outputs/run/a.safetensors: a file, and not the folder of a run"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], code: int, told: str, workspace: Path, cli: Cli) -> None:
    written(RUN)
    (RUN / "a.safetensors").touch()
    outcome = cli("show", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (code, "", 1)
    assert told in outcome.err
