"""metrics.jsonl: one line of numbers a logged step."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from ganctl.loggers.log_file import LogFile

METRICS = "metrics.jsonl"
AT_ONCE = 1 << 20
"""Bytes in which a line break is looked for at once."""


class JsonLines(LogFile):
    """Logs numbers as JSON, null where they are not finite; see `Logger`."""

    kept_as: ClassVar[Mapping[str, str]] = {METRICS: "metrics.earlier-{}.jsonl"}

    def __init__(self, folder: Path, lengths: Mapping[str, int]) -> None:
        super().__init__(folder / METRICS, lengths.get(METRICS), intact_lines)

    def config(self, config: Mapping[str, Any], identity: Mapping[str, Any], ordering: Sequence[str]) -> None:
        """Leave the config out, which lies in a file of its own."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one line."""
        row = {"step": step} | {key: value if math.isfinite(value) else None for key, value in values.items()}
        self.write(json.dumps(row).encode() + b"\n")

    def image(self, step: int, png: bytes, size: tuple[int, int]) -> None:
        """Leave images out."""


def intact_lines(file: BinaryIO, length: int) -> int:
    """Return the length up to the last line break; a bounded part of the file is held in memory."""
    while length > 0:
        start = max(0, length - AT_ONCE)
        file.seek(start)
        if (found := file.read(length - start).rfind(b"\n")) >= 0:
            return start + found + 1
        length = start
    return 0
