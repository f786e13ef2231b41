"""What every log of a run is, and the table of the kinds that a config may choose."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ganctl.loggers.parts.history import images, rows
from ganctl.registry import Component, Family

Size = tuple[int, int]
"""Of an image: height, width in pixels."""

JSONL = "metrics.jsonl"
"""The log that all others can be written again from."""


@dataclass(frozen=True)
class LoggedRun:
    """What a log is told of its run when it is opened.

    `marks` are what the checkpoint of `step`, from which the run goes on, recorded of each log; a run that begins
    has none. `config` is all of it, `identity` the flattened keys that determine numbers, `ordering` the numbers
    by which runs can be sorted.
    """

    folder: Path
    marks: Mapping[str, int]
    step: int
    config: Mapping[str, Any]
    identity: Mapping[str, Any]
    ordering: Sequence[str]

    def history(self) -> Iterator[tuple[int, dict[str, float] | bytes]]:
        """Yield what was logged up to the checkpoint, each with its step: numbers, or the bytes of a PNG file."""
        drawn = images(self.folder / "samples", self.step)
        waiting = next(drawn, None)
        for step, values in rows(self.folder / JSONL, self.marks.get(JSONL, 0)):
            while waiting is not None and waiting[0] < step:
                yield waiting
                waiting = next(drawn, None)
            yield step, values
        if waiting is not None:
            yield waiting
            yield from drawn


class Logger:
    """An opened log of one run, which is closed with it. Methods raise whatever they fail with."""

    behind = True
    """Whether it may lack what was logged before it was opened; `begin` is called then."""

    def begin(self, run: LoggedRun) -> None:
        """Log the config, and what the run has logged before."""
        self.config(run)
        for step, logged in run.history():
            if isinstance(logged, bytes):
                self.image(step, logged, png_size(logged))
            else:
                self.scalars(step, logged)

    def config(self, run: LoggedRun) -> None:
        """Log the config; by default nothing."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers of a step, by their names in metrics.jsonl; some may not be finite."""
        raise NotImplementedError

    def image(self, step: int, png: bytes, size: Size) -> None:
        """Log an image of samples, the bytes of a PNG file; by default nothing."""

    def best(self, step: int, name: str, value: float) -> None:
        """Log that a step is the best so far, by a number such as fid/fid; by default nothing."""

    def mark(self) -> dict[str, int]:
        """Return what a checkpoint is to record, by file, once all logged is on disk; by default nothing."""
        return {}

    def close(self, status: str) -> None:
        """End the log of a run that ends as run.json tells: complete, stopped, diverged or failed."""


class Log(Component):
    """A kind of log, with its options."""

    vital: ClassVar[bool] = False
    """Whether a run ends that cannot write it."""

    distant: ClassVar[bool] = False
    """Whether it may be slow, and so is written in a thread of its own."""

    file: ClassVar[str] = ""
    """Its file in the run's folder, if it has one; where the disk fails it, the run stops."""

    kept_as: ClassVar[str] = ""
    """The file's name, but for a number, under which it is kept when a run begins again."""

    def problem(self) -> str | None:
        """Return in one line what keeps it from being opened, such as a missing package; asked before all else."""
        return None

    def open(self, run: LoggedRun) -> Logger:
        """Return the log of a run, cut to what the checkpoint recorded; raises whatever it fails with."""
        raise NotImplementedError


LOGGERS: Family[Log] = Family("logs")


def png_size(png: bytes) -> Size:
    """Return the height and width that a PNG file states."""
    width, height = struct.unpack(">II", png[16:24])
    return height, width
