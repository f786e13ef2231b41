"""metrics.jsonl: one line of numbers a logged step."""

import json
import math
import mmap
from collections.abc import Mapping
from typing import BinaryIO

from ganctl.loggers.logger import Logger


class JsonLines(Logger):
    """Logs numbers as JSON, null where they are not finite."""

    file, kept_as = "metrics.jsonl", "metrics.earlier-{}.jsonl"

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one line."""
        row = {"step": step} | {key: value if math.isfinite(value) else None for key, value in values.items()}
        self.write(json.dumps(row).encode() + b"\n")

    def intact(self, file: BinaryIO, length: int) -> int:
        """Return the length up to the last line break."""
        if length == 0:
            return 0
        with mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ) as content:
            return content.rfind(b"\n") + 1
