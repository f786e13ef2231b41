"""Logs whose recorded lengths are not what lies there are cut to what is whole, in little memory."""

import os
import tracemalloc
from pathlib import Path

import pytest

from ganctl.loggers.table import LOGGERS
from ganctl.loggers.tensorboard import EVENTS, RECORD_FRAME

LARGE = 1 << 28


def written(folder: Path, steps: int) -> dict[str, int]:
    folder.mkdir(exist_ok=True)
    lengths: dict[str, int] = {}
    for logger in [each(folder, {}) for each in LOGGERS]:
        for step in range(steps):
            logger.scalars(step, {"loss": 1.0})
        lengths[logger.file] = logger.length()
        logger.close()
    return lengths


def resume(folder: Path, lengths: dict[str, int]) -> None:
    for logger in [each(folder, lengths) for each in LOGGERS]:
        logger.close()


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
