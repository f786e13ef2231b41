"""A log of one's own: a file of text, which a resumed run continues; no step is there twice."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, BinaryIO, Literal

from pydantic import Field

from ganctl.loggers import LOGGERS, Log, LoggedRun, Logger
from ganctl.loggers.parts.log_file import LogFile, to_last_line


class LossFile(LogFile):
    """Writes the losses of each logged step."""

    def __init__(self, path: Path, length: int | None, digits: int) -> None:
        super().__init__(path, length)
        self.digits = digits

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one line, if the numbers are those of a step and not of an evaluation."""
        losses = [f"{value:.{self.digits}f}" for key, value in values.items() if key.startswith("loss/")]
        if losses:
            self.write(f"{step} {' '.join(losses)}\n".encode())

    def intact(self, file: BinaryIO, length: int) -> int:
        """Return the length up to the last whole line, should the file be shorter than a checkpoint says."""
        return to_last_line(file, length)


@LOGGERS.register
class Losses(Log):
    """losses.txt, with so many digits."""

    name: Literal["losses"]
    digits: Annotated[int, Field(ge=0, le=17)]

    file, kept_as = "losses.txt", "losses.earlier-{}.txt"

    def open(self, run: LoggedRun) -> Logger:
        """Return the file, cut to what the checkpoint recorded."""
        return LossFile(run.folder / self.file, run.marks.get(self.file), self.digits)
