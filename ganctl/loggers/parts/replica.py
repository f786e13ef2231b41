"""A copy of metrics.jsonl elsewhere, whose rows have its lines' numbers, so that none is there twice."""

import math
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from ganctl.loggers.logger import Logger
from ganctl.loggers.parts.tags import tag
from ganctl.runtime.bounded import read_text
from ganctl.runtime.disk import write_whole

STEP, SAMPLES = "step", "samples"


class Replica(Logger):
    """Sends the rows that a place does not hold yet; it holds the first `held` of them, and where it was cut off
    others follow from metrics.jsonl.

    A run that goes on computes the numbers of its lost steps again, bit for bit, so these need not be replaced.
    """

    def __init__(self, held: int) -> None:
        self._held = held
        self._row = 0

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Send the finite numbers of a row that is not there yet."""
        self._row += 1
        if self._row > self._held:
            self.send(self._row, step, {tag(key): each for key, each in values.items() if math.isfinite(each)})

    def image(self, step: int, png: bytes, size: tuple[int, int]) -> None:
        """Send an image after the row that came before it, if that was sent now."""
        if self._row > self._held or not self._held:
            self.send_image(self._row, step, png)

    def send(self, row: int, step: int, values: Mapping[str, float]) -> None:
        """Send the numbers of a row, by their tags, all or none of them."""
        raise NotImplementedError

    def send_image(self, row: int, step: int, png: bytes) -> None:
        """Send an image that was drawn after a row, the bytes of a PNG file."""
        raise NotImplementedError


def run_id(folder: Path) -> str:
    """Return the name by which a run is known elsewhere, 16 hex digits; the folder's file `run.id` keeps it."""
    path = folder / "run.id"
    try:
        known = re.fullmatch(r"([0-9a-f]{16})\n?", read_text(path, 64))
    except (OSError, ValueError):
        known = None
    if known is not None:
        return known[1]
    new = secrets.token_hex(8)
    write_whole(path, f"{new}\n".encode())
    return new
