"""metrics.jsonl: one line of numbers a logged step."""

import json
import math
from collections.abc import Mapping
from typing import BinaryIO, Literal

from ganctl.loggers.logger import JSONL, LOGGERS, Log, LoggedRun, Logger
from ganctl.loggers.parts.log_file import LogFile, to_last_line


class JsonLines(LogFile):
    """Logs numbers as JSON, null where they are not finite."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one line."""
        row = {"step": step} | {key: value if math.isfinite(value) else None for key, value in values.items()}
        self.write(json.dumps(row).encode() + b"\n")

    def intact(self, file: BinaryIO, length: int) -> int:
        """Return the length up to the last line break."""
        return to_last_line(file, length)


@LOGGERS.register
class Jsonl(Log):
    """metrics.jsonl, which resuming, `ganctl list`, `show` and `compare`, and every other log read."""

    name: Literal["jsonl"]

    vital = True
    file, kept_as = JSONL, "metrics.earlier-{}.jsonl"

    def open(self, run: LoggedRun) -> Logger:
        """Return the file, which cannot be behind itself."""
        log = JsonLines(run.folder / self.file, run.marks.get(self.file))
        log.behind = False
        return log
