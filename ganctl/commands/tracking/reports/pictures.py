"""The sample grids of a run, of fewer steps, smaller, and compressed."""

import base64
import io
import os
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from ganctl.runtime.bounded import read_bytes

NAME = re.compile(r"step-(\d{1,18})\.png", re.ASCII)

MOST = 16
"""Steps of a run whose sample grids are shown, evenly spaced."""

ENOUGH = 6
"""Steps whose grids must fit before a larger size is taken."""

SIDES = (640, 448, 320, 224, 160)
"""Pixels of the longer side, of which the largest is taken that leaves room for `ENOUGH` steps."""

LOSSLESS = 128 * 128
"""Pixels of the largest grid that is compressed without loss, such as one of small digits."""

QUALITY = 80
"""Of WebP, 0–100."""

LONGEST_FILE, MOST_PIXELS = 64 << 20, 1 << 25
"""Bytes and pixels of the largest file that is read; a grid of 64 images of 512² has half of these pixels."""


@dataclass
class Pictures:
    """The sample grids of a run: WebP files as addresses, by step in rising order; and what could not be read."""

    by_step: dict[int, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def read_pictures(folder: Path, room: int) -> Pictures:
    """Return the grids of a folder that take about `room` bytes in all, at least that of the last step.

    Nothing is raised for what is missing or cannot be read.
    """
    found = Pictures()
    try:
        named = {int(match[1]): match[0] for match in map(NAME.fullmatch, os.listdir(folder)) if match}
    except OSError:
        return found
    steps = sorted(named)
    newest = None
    while steps and newest is None and len(found.faults) < MOST:
        newest = _opened(folder / named[steps[-1]], found.faults)
        steps = steps if newest is not None else steps[:-1]
    if newest is None:
        return found
    for side in SIDES:
        size = len(_encoded(newest, side))
        if size * min(len(steps), ENOUGH) <= room:
            break
    encoded = {}
    for step in _spread(steps, min(MOST, max(1, room // size))):
        picture = newest if step == steps[-1] else _opened(folder / named[step], found.faults)
        if picture is not None:
            encoded[step] = _encoded(picture, side)
    while len(encoded) > 1 and sum(map(len, encoded.values())) > room:  # early samples compress less
        encoded = {step: encoded[step] for step in _spread(list(encoded), len(encoded) - 1)}
    found.by_step = {step: _address(content) for step, content in encoded.items()}
    return found


def _spread(steps: list[int], count: int) -> list[int]:
    """Return so many of the steps, evenly spread, the last one among them."""
    if len(steps) <= count:
        return steps
    if count == 1:
        return steps[-1:]
    return [steps[round(number * (len(steps) - 1) / (count - 1))] for number in range(count)]


def _opened(path: Path, faults: list[str]) -> Image.Image | None:
    """Return a PNG file as an RGB image no larger than is shown; one that cannot be read is a fault."""
    try:
        with warnings.catch_warnings(action="error"):
            image = Image.open(io.BytesIO(read_bytes(path, LONGEST_FILE)), formats=["PNG"])
            if image.width * image.height > MOST_PIXELS:
                raise ValueError(f"{image.width:,} × {image.height:,} pixels")
            picture = image.convert("RGB")
        picture.thumbnail((SIDES[0], SIDES[0]))
    except Exception as error:  # Pillow raises nearly any, for bytes that its authors did not foresee
        faults.append(f"samples/{path.name}: cannot be read ({error})")
        return None
    return picture


def _encoded(picture: Image.Image, side: int) -> bytes:
    """Return an image as a WebP file, no larger than `side` pixels."""
    smaller = picture.copy()
    smaller.thumbnail((side, side))
    content = io.BytesIO()
    lossless = smaller.width * smaller.height <= LOSSLESS
    smaller.save(content, "WEBP", lossless=lossless, quality=QUALITY, method=2)
    return content.getvalue()


def _address(content: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"
