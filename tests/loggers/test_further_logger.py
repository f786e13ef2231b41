"""A further log is a class in the table: its file is recorded, cut, continued and kept as others."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Literal

import pytest

from ganctl.checkpoints.file import read_header
from ganctl.loggers import LOGGERS, Log, LoggedRun, Logger
from ganctl.loggers.parts.log_file import LogFile
from tests.conftest import TINY, Cli
from tests.loggers.logged import RUN

WORDS = ["train", *TINY, "name=run", "logging.every=1", "checkpoint.every=1"]
STEPS = "+logs.steps={name: steps}"


class StepFile(LogFile):
    """Logs the steps alone, one byte each."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self.write(str(step).encode())

    def intact(self, file: BinaryIO, length: int) -> int:
        return length


class Steps(Log):
    """The file `steps`."""

    name: Literal["steps"]

    file, kept_as = "steps", "steps.earlier-{}"

    def open(self, run: LoggedRun) -> Logger:
        return StepFile(run.folder / self.file, run.marks.get(self.file))


@pytest.fixture(autouse=True)
def _further() -> Iterator[None]:
    LOGGERS.register(Steps)
    yield
    del LOGGERS._classes["steps"]


def test_what_was_logged_after_the_checkpoint_is_cut_and_the_rest_continued(workspace: Path, cli: Cli) -> None:
    assert cli(*WORDS, STEPS, "train.steps=2").code == 0
    assert (RUN / "steps").read_bytes() == b"12"
    assert read_header(RUN / "checkpoints/step-00000002.safetensors").header.logs["steps"] == 2
    (RUN / "steps").write_bytes(b"12later")
    assert cli(*WORDS, STEPS, "train.steps=4").code == 0
    assert (RUN / "steps").read_bytes() == b"1234"


def test_one_that_is_added_later_gets_what_was_logged_before(workspace: Path, cli: Cli) -> None:
    assert cli(*WORDS, "train.steps=2").code == 0
    assert cli(*WORDS, STEPS, "train.steps=3").code == 0
    assert (RUN / "steps").read_bytes() == b"123"


def test_a_run_that_begins_again_keeps_it(workspace: Path, cli: Cli) -> None:
    RUN.mkdir(parents=True)
    (RUN / "metrics.jsonl").write_text("{}\n")
    (RUN / "run.json").write_text('{"step": 0, "saved": -1}')
    (RUN / "steps").write_bytes(b"1")
    assert cli(*WORDS, STEPS, "train.steps=1").code == 0
    assert (RUN / "steps.earlier-1").read_bytes() == b"1"
    assert (RUN / "steps").read_bytes() == b"1"
