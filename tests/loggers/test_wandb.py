"""W&B offline, read back from the files that it wrote."""

import importlib.machinery
import json
import os
import re
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ganctl.loggers.parts.replica import run_id
from ganctl.loggers.wandb import records, rows_written
from tests.loggers.logged import log_of

pytest.importorskip("wandb", reason="needs wandb: pip install 'ganctl[wandb]'")
HERE = {"mode": "offline", "project": "tests", "entity": None, "machine": False}


def files(run: Path) -> list[Path]:
    return sorted(run.glob("wandb/offline-run-*/run-*.wandb"))


def of_kind(run: Path, kind: str) -> list[Any]:
    found = [record for path in files(run) for record in records(path)]
    return [getattr(record, kind) for record in found if record.WhichOneof("record_type") == kind]


def rows(run: Path) -> list[dict[str, Any]]:
    told = [
        {item.key or item.nested_key[0]: item.value_json for item in row.item} for row in of_kind(run, "history")
    ]
    return [{key: json.loads(value) for key, value in row.items()} for row in told]


def orphans() -> list[list[str]]:
    """Return the words of W&B's processes that live on without the one that started them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(path.read_text(errors="replace").split("\0"))
    of_wandb = [words for words in found if words[0].endswith("wandb-core")]
    return [words for words in of_wandb if not Path("/proc", words[words.index("--pid") + 1]).exists()]


def test_after_a_kill_no_step_is_there_twice_and_none_is_missing(killed_run: Path) -> None:
    assert len(files(killed_run)) == 2
    lines = [json.loads(line) for line in (killed_run / "metrics.jsonl").read_text().splitlines()]
    found = rows(killed_run)
    assert [row["_step"] for row in found] == list(range(1, len(lines) + 1))
    assert [row["step"] for row in found] == [line["step"] for line in lines]
    assert [row.get("loss/generator") for row in found] == [line.get("loss/generator") for line in lines]
    assert [row.get("evaluate/fid/fid") for row in found] == [line.get("evaluate/fid/fid") for line in lines]


def test_numbers_are_found_under_the_tags_of_pages_and_shown_over_the_step(killed_run: Path) -> None:
    first = rows(killed_run)[0]
    assert {"system/images_per_second", "step/accuracy", "health/diversity"} <= first.keys()
    assert "accuracy" not in first
    assert {(each.glob_name, each.step_metric) for each in of_kind(killed_run, "metric")} >= {("*", "step")}


def test_both_processes_wrote_to_one_run_with_the_config_and_its_summary(killed_run: Path) -> None:
    told = of_kind(killed_run, "run")
    assert {each.run_id for each in told} == {run_id(killed_run)}
    assert {(each.project, each.display_name) for each in told} == {("tests", "run")}
    config = {item.key: item.value_json for item in told[0].config.update}
    assert json.loads(config["seed"]) == 3
    assert json.loads(config["logs"])["wandb"]["project"] == "tests"
    summary: dict[str, str] = {}
    for each in of_kind(killed_run, "summary"):
        summary |= {item.key or "/".join(item.nested_key): item.value_json for item in each.update}
    assert json.loads(summary["status"]) == "complete"
    assert json.loads(summary["best/step"]) in (45, 90)
    assert json.loads(summary["best/fid/fid"]) > 0


def test_images_are_kept_with_the_row_before_them(killed_run: Path) -> None:
    drawn = {row["step"] for row in rows(killed_run) if "samples" in row}
    assert {30, 90} <= drawn <= {30, 60, 90}
    assert len(list(killed_run.glob("wandb/*/files/media/images/*.png"))) == len(drawn)


def test_nothing_of_the_machine_is_told_and_no_process_stays(killed_run: Path) -> None:
    assert of_kind(killed_run, "environment") == []
    assert of_kind(killed_run, "stats") == []
    assert of_kind(killed_run, "output_raw") == []
    assert {each.host for each in of_kind(killed_run, "run")} == {""}
    deadline = time.monotonic() + 20
    while (left := orphans()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []


def test_a_file_that_is_cut_off_or_of_a_stranger_is_read_to_where_it_is_whole(
    killed_run: Path, tmp_path: Path
) -> None:
    ended = files(killed_run)[-1]  # that of the killed process may be cut off already
    content = ended.read_bytes()
    path = tmp_path / "cut.wandb"
    whole = len(list(records(ended)))
    for end in (0, 5, 7, 9, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:end])
        assert len(list(records(path))) < whole
    path.write_bytes(content[:7] + b"\xff" * 40_000)
    assert list(records(path)) == []
    assert rows_written(tmp_path, run_id(tmp_path)) == 0


def test_the_service_of_a_parent_process_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("WANDB_SERVICE", "WANDB_ERROR_REPORTING", "WANDB_SILENT"):
        monkeypatch.setenv(key, "of a parent")
    monkeypatch.delitem(sys.modules, "wandb")
    monkeypatch.setattr(importlib.machinery.PathFinder, "find_spec", lambda *asked: None)
    told = log_of("wandb", **HERE).problem()
    assert told is not None
    assert told.startswith("logs.wandb: needs wandb (No module named 'wandb'); pip install 'ganctl[wandb]', or")
    assert "WANDB_SERVICE" not in os.environ
    assert os.environ["WANDB_ERROR_REPORTING"] == "false"


def test_the_name_of_a_run_elsewhere_is_kept_and_one_of_a_stranger_replaced(tmp_path: Path) -> None:
    first = run_id(tmp_path)
    assert re.fullmatch(r"[0-9a-f]{16}", first)
    assert run_id(tmp_path) == first
    (tmp_path / "run.id").write_text("x' or 1=1\n")
    assert re.fullmatch(r"[0-9a-f]{16}", run_id(tmp_path))
