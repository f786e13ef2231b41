"""metrics.jsonl: one line of numbers a logged step."""

import json
import math
from collections.abc import Mapping
from typing import BinaryIO

from ganctl.loggers.logger import Logger

READ_AT_ONCE = 1 << 20


class JsonLines(Logger):
    """Logs numbers as JSON, null where they are not finite."""

    file, kept_as = "metrics.jsonl", "metrics.earlier-{}.jsonl"

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one line."""
        row = {"step": step} | {key: value if math.isfinite(value) else None for key, value in values.items()}
        self.write(json.dumps(row).encode() + b"\n")

    def intact(self, file: BinaryIO, length: int) -> int:
        """Return the length up to the last line break."""
        while length > 0:
            start = max(0, length - READ_AT_ONCE)
            file.seek(start)
            if (found := file.read(length - start).rfind(b"\n")) >= 0:
                return start + found + 1
            length = start
        return 0
