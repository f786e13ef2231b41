"""A further logger is a class and a row in the table: its file is recorded, cut, continued and kept as others."""

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import pytest

from ganctl.checkpoints.file import read_header
from ganctl.loggers.logger import Logger
from ganctl.loggers.table import LOGGERS
from tests.conftest import TINY, Cli

RUN = Path("outputs/run")
WORDS = ["train", *TINY, "name=run", "logging.every=1", "checkpoint.every=1"]


class Steps(Logger):
    """Logs the steps alone, one byte each."""

    file, kept_as = "steps", "steps.earlier-{}"

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.write(str(step).encode())

    def intact(self, file: BinaryIO, length: int) -> int:
        return length


@pytest.fixture(autouse=True)
def further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganctl.runs.desk.LOGGERS", (*LOGGERS, Steps))


def test_what_was_logged_after_the_checkpoint_is_cut_and_the_rest_continued(workspace: Path, cli: Cli) -> None:
    assert cli(*WORDS, "train.steps=2").code == 0
    assert (RUN / "steps").read_bytes() == b"12"
    assert read_header(RUN / "checkpoints/step-00000002.safetensors").header.logs["steps"] == 2
    (RUN / "steps").write_bytes(b"12later")
    assert cli(*WORDS, "train.steps=4").code == 0
    assert (RUN / "steps").read_bytes() == b"1234"


def test_a_run_that_begins_again_keeps_it(workspace: Path, cli: Cli) -> None:
    RUN.mkdir(parents=True)
    (RUN / "metrics.jsonl").write_text("{}\n")
    (RUN / "run.json").write_text('{"step": 0, "saved": -1}')
    (RUN / "steps").write_bytes(b"1")
    assert cli(*WORDS, "train.steps=1").code == 0
    assert (RUN / "steps.earlier-1").read_bytes() == b"1"
    assert (RUN / "steps").read_bytes() == b"1"
