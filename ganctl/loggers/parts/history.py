"""What a run has logged so far, read back from its folder, which a stranger may have written."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

from ganctl.runtime.bounded import opened, read_bytes

LONGEST_ROW = 1 << 20
MOST_OF_IMAGE = 1 << 26
"""Bytes of one image that are read."""

PNG = b"\x89PNG\r\n\x1a\n"


def rows(path: Path, length: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Yield each step of the first `length` bytes of metrics.jsonl, with its numbers; null is NaN.

    Lines that cannot be read are left out.
    """
    if length == 0:
        return
    with opened(path) as file:
        while file.tell() < length and (line := file.readline(LONGEST_ROW)):
            try:
                row = json.loads(line)
                step = int(row.pop("step"))
                numbers = {key: math.nan if value is None else float(value) for key, value in row.items()}
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue
            yield step, numbers


def images(folder: Path, last: int) -> Iterator[tuple[int, bytes]]:
    """Yield the images of samples up to a step, each with its step, in order; what is no image is left out."""
    for path in sorted(folder.glob("step-*.png")):
        found = re.fullmatch(r"step-(\d{8,15})\.png", path.name)
        if found is None or int(found[1]) > last:
            continue
        try:
            png = read_bytes(path, MOST_OF_IMAGE)
        except OSError:
            continue
        if png.startswith(PNG) and len(png) > 24:
            yield int(found[1]), png
