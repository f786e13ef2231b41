"""ganctl compare: what differs between runs, and only answers to one question in one row."""

import json
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.written_runs import evaluation, write_best, written

A, B = Path("outputs/a"), Path("outputs/b")


def rows(out: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in out.splitlines() if "│" in line]


def test_settings_that_differ_and_numbers_stand_side_by_side(workspace: Path, cli: Cli) -> None:
    written(A, "stopped", 50, evaluations=[evaluation(9.0), evaluation(5.0)])
    written(B, latent=32, evaluations=[evaluation(4.0), evaluation(3.0, num=600)])
    write_best(A)
    write_best(B, value=4.0)
    outcome = cli("compare", "a", "outputs/b")
    assert (outcome.code, outcome.err) == (0, "")
    assert rows(outcome.out) == [
        ["model.latent", "64", "32"],
        ["status", "stopped", "complete"],
        ["step", "50", "100"],
        ["images_per_second", "50", "50"],
        ["loss/generator", "1.5", "1.5"],
        ["loss/discriminator", "0.5", "0.5"],
        ["best", "fid 4.5", "fid 4"],
        ["fid (60, raw)", "5 ± 0.25", "4 ± 0.25"],
        ["fid (600, raw)", "", "3 ± 0.25"],
    ]
    assert "note" not in outcome.out


def test_scores_that_were_measured_in_another_way_are_not_in_one_row(workspace: Path, cli: Cli) -> None:
    for run in (A, B):
        written(run)
    write_best(A)
    write_best(B, by="kid.kid of 60 samples by raw: Kid()")
    out = cli("compare", "a", "b").out
    assert "no setting differs" in out
    assert ["best", "fid 4.5", ""] in rows(out)
    assert ["best #2", "", "kid 4.5"] in rows(out)


def test_other_data_is_remarked(workspace: Path, cli: Cli) -> None:
    for name, data in (("a", "a"), ("b", "b"), ("c", "a")):
        written(Path("outputs") / name, data=data * 64)
    told = "numbers of different data, which do not compare: a and c — b"
    assert f"note    {told}\n" in cli("compare", "a", "b", "c").out
    document = json.loads(cli("compare", "a", "b", "c", "--json").out)
    assert document["notes"] == [told]
    assert document["numbers"]["step"] == [100, 100, 100]
    assert [run["name"] for run in document["runs"]] == ["a", "b", "c"]


def test_a_damaged_run_is_compared_by_what_is_left_of_it(workspace: Path, cli: Cli) -> None:
    written(A)
    written(B)
    (B / "run.json").write_text("{")
    (B / "config.yaml").write_bytes(b"\xff")
    outcome = cli("compare", "a", "b")
    assert (outcome.code, outcome.err) == (0, "")
    assert ["status", "complete", "damaged"] in rows(outcome.out)
    assert "note    b: run.json: cannot be read" in outcome.out


@pytest.mark.parametrize(
    ("words", "code", "told"), [(["a"], 2, "compare: takes two runs or more"), (["a", "x"], 4, "x: no run folder")]
)
def test_a_mistake_is_one_line(words: list[str], code: int, told: str, workspace: Path, cli: Cli) -> None:
    written(A)
    outcome = cli("compare", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (code, "", 1)
    assert told in outcome.err
