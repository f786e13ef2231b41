"""metrics.csv: what a spreadsheet opens, with a column for each number, also for those that come late."""

import csv
import json
import math
from pathlib import Path

from tests.conftest import TINY, Cli
from tests.loggers.logged import RUN, log_of, logged_run

SCORED = ["evaluate.every=2", "evaluate.num=8", "metric/features=raw", "metric=[fid]"]
WORDS = ["train", *TINY, "name=run", "logging.every=1", "checkpoint.every=2", "logs=[jsonl,csv]"]


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return [{key: each for key, each in row.items() if each} for row in csv.DictReader(file)]


def as_jsonl(folder: Path) -> list[dict[str, str]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: str(each) for key, each in row.items() if each is not None} for row in rows]


def test_a_number_that_comes_late_gets_a_column_and_no_row_is_lost(tmp_path: Path) -> None:
    log = log_of("csv").open(logged_run(tmp_path))
    log.scalars(1, {"a": 0.5, "b": math.nan})
    log.scalars(2, {"c,d": 2.0})
    log.scalars(3, {"b": math.inf, "a": 1e-7})
    assert log.mark() == {}
    log.close("complete")
    assert (tmp_path / "metrics.csv").read_text() == 'step,a,b,"c,d"\n1,0.5,\n2,,,2.0\n3,1e-07,,\n'
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


def test_it_holds_the_numbers_of_metrics_jsonl_and_is_written_anew_when_the_run_goes_on(
    workspace: Path, cli: Cli
) -> None:
    assert cli(*WORDS, *SCORED, "train.steps=3").code == 0
    assert table(RUN) == as_jsonl(RUN)
    assert [row["step"] for row in table(RUN)] == ["1", "2", "2", "3", "3"]
    (RUN / "metrics.csv").write_text("of another\n")
    assert cli(*WORDS, *SCORED, "train.steps=4").code == 0
    assert table(RUN) == as_jsonl(RUN)
    assert len(table(RUN)) == 7


def test_after_a_kill_no_row_is_there_twice(killed_run: Path) -> None:
    assert table(killed_run) == as_jsonl(killed_run)
    assert [int(row["step"]) for row in table(killed_run) if "images" in row] == list(range(1, 91))
