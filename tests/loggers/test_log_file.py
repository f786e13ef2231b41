"""Logs whose recorded lengths are not what lies there are cut to what is whole, in little memory."""

import os
import tracemalloc
from pathlib import Path

import pytest

from ganctl.loggers.parts.event_file import RECORD_FRAME
from ganctl.loggers.tensorboard import EVENTS
from tests.loggers.logged import log_of, logged_run

LARGE = 1 << 28
CONTINUED = ("jsonl", "tensorboard")


def written(folder: Path, steps: int) -> dict[str, int]:
    lengths: dict[str, int] = {}
    for log in [log_of(name).open(logged_run(folder)) for name in CONTINUED]:
        for step in range(steps):
            log.scalars(step, {"loss": 1.0})
        lengths |= log.mark()
        log.close("complete")
    return lengths


def resume(folder: Path, lengths: dict[str, int]) -> None:
    for name in CONTINUED:
        log_of(name).open(logged_run(folder, lengths)).close("complete")


@pytest.mark.parametrize("name", ["metrics.jsonl", EVENTS])
def test_a_length_beyond_the_file_costs_no_memory_and_keeps_what_is_whole(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lengths = written(tmp_path, 3)
    os.truncate(tmp_path / name, LARGE)
    tracemalloc.start()
    try:
        resume(tmp_path, lengths | {name: 1 << 62})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LARGE // 16
    assert (tmp_path / name).stat().st_size == lengths[name]
    assert f"{(1 << 62) - lengths[name]:,} bytes that were logged earlier are missing" in capsys.readouterr().out


@pytest.mark.parametrize("cut", [1, RECORD_FRAME, RECORD_FRAME + 3])
def test_a_record_or_line_that_is_cut_off_goes_and_those_before_stay(cut: int, tmp_path: Path) -> None:
    before, after = written(tmp_path / "a", 2), written(tmp_path / "b", 3)
    for name in before:
        os.truncate(tmp_path / "b" / name, after[name] - cut)
    resume(tmp_path / "b", after)
    assert {name: (tmp_path / "b" / name).stat().st_size for name in before} == before
