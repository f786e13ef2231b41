"""Curves of metrics.jsonl: thinned, read in bounded memory, whatever the file holds."""

import json
import os
from itertools import pairwise
from pathlib import Path

import pytest

from ganctl.commands.tracking.reports import curves
from ganctl.commands.tracking.reports.curves import read_curves, sections
from tests.written_runs import row


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def test_a_short_log_is_kept_and_evaluations_are_a_table_of_their_own(log: Path) -> None:
    log.write_text(row(10) + '{"step": 10, "evaluate/fid/fid": 4.56789}\n' + row(20, extra=1.0))
    found = read_curves(log, 500)
    trained, evaluated = found.tables
    assert trained["step"] == [10, 20]
    assert trained["extra"] == [None, 1.0]
    assert evaluated == {"step": [10], "evaluate/fid/fid": [4.568]}
    assert found.faults == []


@pytest.mark.parametrize("count", [1, 99, 100, 101, 1234])
def test_a_long_log_is_thinned_evenly_and_keeps_its_first_and_last_line(log: Path, count: int) -> None:
    log.write_text("".join(row(step) for step in range(1, count + 1)))
    (table,) = read_curves(log, 100).tables
    steps = [step for step in table["step"] if step is not None]
    assert min(count, 50) <= len(steps) <= 101
    assert (steps[0], steps[-1]) == (1, count)
    assert len({after - before for before, after in pairwise(steps[:-1])}) <= 1


def test_few_evaluations_among_many_lines_all_stay(log: Path) -> None:
    lines = [row(step) for step in range(1, 1001)]
    lines[::100] = [f'{{"step": {step}, "evaluate/fid/fid": 1.0}}\n' for step in range(1, 1001, 100)]
    log.write_text("".join(lines))
    _, evaluated = read_curves(log, 50).tables
    assert evaluated["step"] == [*range(1, 1001, 100)]


def test_what_cannot_be_read_is_counted_and_an_unfinished_line_is_not(log: Path) -> None:
    log.write_bytes(row(1).encode() + b'{broken\n[]\n"text"\n\xff\n' + b'{"step": 3}\n' + b"[" * 9000 + b'\n{"st')
    found = read_curves(log, 500)
    assert [table["step"] for table in found.tables] == [[1, 3]]
    assert found.faults == ["metrics.jsonl: 3 of the lines that would be drawn cannot be read"]


def test_numbers_that_are_not_finite_are_left_out(log: Path) -> None:
    log.write_text(row(1, odd=float("nan")) + row(2, odd=float("inf")) + row(3, odd=1e308))
    (table,) = read_curves(log, 500).tables
    assert table["odd"] == [None, None, 1e308]
    assert json.dumps(table, allow_nan=False)


def test_a_log_without_end_is_read_to_its_limit(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "LONGEST_LOG", 1000)
    log.write_text("".join(row(step) for step in range(1, 100)))
    with log.open("ab") as file:
        file.truncate(1 << 40)
    found = read_curves(log, 500)
    assert len(found.tables[0]["step"]) < 15
    assert found.faults == ["metrics.jsonl: only its first 1,000 bytes are drawn"]


def test_a_line_without_end_and_very_many_names_take_bounded_memory(log: Path) -> None:
    many = {f"name{number}": 1.0 for number in range(1000)}
    log.write_text('{"long": "' + "x" * 200_000 + '"}\n' + json.dumps({"step": 1} | many) + "\n")
    found = read_curves(log, 500)
    assert len(found.tables[0]) == curves.MOST_SCALARS + 1
    assert len(found.faults) == 2


def test_a_log_that_is_missing_is_no_fault_and_a_pipe_is_not_opened(log: Path) -> None:
    assert read_curves(log, 500) == curves.Curves()
    os.mkfifo(log)
    assert read_curves(log, 500).faults == ["metrics.jsonl: cannot be read (a pipe, not a regular file)"]


def test_what_is_looked_for_first_comes_first_and_the_machine_last() -> None:
    names = [
        "data_wait",
        "images_per_second",
        "accuracy",
        "loss/generator",
        "probability/real",
        "new",
        "logits/real",
    ]
    found = sections([*names, "evaluate/fid/fid", "system/memory", "loss/generator"])
    assert list(found) == [
        "Losses",
        "Probabilities and logits",
        "Scores while training",
        "Health",
        "Others",
        "System",
    ]
    assert found["Probabilities and logits"] == ["probability/real", "logits/real"]
    assert found["System"] == ["system/memory", "images_per_second", "data_wait"]
