"""ganctl list: a row a run, whatever its folder holds."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Cli, Outcome
from tests.written_runs import evaluation, row, trained_in, write_best, written

RUNS = Path("outputs")


def line_of(name: str, out: str) -> list[str]:
    """Return the cells of a run's row."""
    line = next(line for line in out.splitlines() if line.startswith(f"│ {name} "))
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_a_row_tells_status_progress_speed_score_and_what_is_trained(workspace: Path, cli: Cli) -> None:
    run = written(RUNS / "a", "running", 40, process=os.getpid())
    write_best(run)
    written(RUNS / "b", evaluations=[evaluation(5.25)])
    (RUNS / "images").mkdir()
    with trained_in(run):
        outcome = cli("list")
    assert (outcome.code, outcome.err) == (0, "")
    told = line_of("a", outcome.out)
    assert told[:6] == ["a", "running", "40/100", "40 %", "50", "fid 4.5"]
    assert told[7:] == ["digits", "dcgan", "hinge"]
    assert line_of("b", outcome.out)[1:6] == ["complete", "100/100", "100 %", "50", "fid 5.25 ± 0.25"]
    assert outcome.out.endswith("1 other folder in outputs is no run\n")


def test_without_runs_it_says_how_to_begin_one(workspace: Path, cli: Cli) -> None:
    told = "no runs; `ganctl train` begins one in outputs\n"
    assert cli("list") == Outcome(0, f"outputs: {told}", "")
    (workspace / "empty").mkdir()
    assert cli("list", "empty") == Outcome(0, f"empty: {told}", "")


def test_what_a_file_holds_neither_styles_nor_moves_anything(workspace: Path, cli: Cli) -> None:
    run = written(RUNS / "[red]odd\x1b[2J[/red]")
    (run / "config.yaml").write_text('data:\n  name: "\\e[31m[bold]x"\n')
    (run / "evaluation.json").write_text(
        json.dumps({"evaluations": [evaluation(1.0) | {"numbers": {"m": {"\x1b]0;title\x07[/]": {"mean": 1.0}}}}]})
    )
    damaged = written(RUNS / "damaged")
    (damaged / "run.json").write_text('{"status": "\\u001b[2Jx"}')
    for words in (("list",), ("show", str(run)), ("compare", str(run), str(damaged)), ("list", "--json")):
        outcome = cli(*words)
        assert outcome.code == 0
        assert not any(each < " " and each != "\n" for each in outcome.out + outcome.err)
    assert "[red]odd\\x1b[2J[/red]" in cli("list").out
    assert "\\x1b[31m[bold]x" in cli("list").out


def test_what_cannot_be_read_is_told_below_the_table(workspace: Path, cli: Cli) -> None:
    run = written(RUNS / "a")
    (run / "config.yaml").write_text("data: [")
    (run / "metrics.jsonl").write_text("{broken\n" + row(100) + "{half")
    out = cli("list").out
    assert line_of("a", out)[1:4] == ["complete", "100/100", "100 %"]
    assert "note    a: config.yaml: cannot be read" in out


def test_a_narrow_terminal_goes_without_some_columns(
    workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(RUNS / "digits-dcgan-nonsaturating-4f80ba34")
    monkeypatch.setattr("ganctl.runtime.printing.WIDE", 80)
    lines = cli("list").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "loss" not in lines[1]
    assert "digits-dcgan-nonsaturating-4f80ba34 │ complete │" in lines[3]


def test_json_is_one_document_without_nan(workspace: Path, cli: Cli) -> None:
    run = written(RUNS / "a", evaluations=[evaluation(5.0)])
    write_best(run, value=float("nan"))
    (run / "metrics.jsonl").write_text(row(100, **{"loss/generator": float("nan")}))
    document = json.loads(cli("list", "--json").out, parse_constant=pytest.fail)
    assert (document["folder"], document["other_folders"]) == ("outputs", 0)
    (told,) = document["runs"]
    assert (told["name"], told["status"], told["step"], told["best"]) == ("a", "complete", 100, None)
    assert told["evaluations"][0]["value"] == 5.0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["a", "b"], "b: list takes one folder; `ganctl compare` takes several runs"),
        (["--jsn"], "--jsn: unknown option (did you mean '--json'?); there are --json, --help"),
        (["json=true"], "json=true: here it is --json, without a value"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], told: str, workspace: Path, cli: Cli) -> None:
    outcome = cli("list", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert told in outcome.err
