"""A figure of numbers over time, drawn by Pillow: both axes logarithmic, one colour a row, one line a run."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Curves = Mapping[str, Sequence[Sequence[tuple[float, float]]]]
"""Points (seconds, number) of each run, by the label of its row."""

SIDE = (880, 520)
SCALE = 2
"""Drawn so many times as large and reduced, for smooth lines."""

LEFT, TOP, RIGHT, BOTTOM = 70, 20, 660, 470
"""The edges of the axes, in pixels; to their right stands the legend."""

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#000000", "#8c6d1f")
"""Told apart by eyes of every kind (Okabe and Ito 2008; their yellow is darkened)."""

TEXT, LINE = "#505050", "#e4e4e4"


@dataclass(frozen=True)
class Axis:
    """A logarithmic axis: the values at its ends, and where these are, in pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return where a value stands, in pixels."""
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> Iterator[float]:
        """Yield the round values on the axis: 1, 2 and 5 times powers of ten, and more on a short axis."""
        factors = (1, 2, 5) if self.high > 10 * self.low else (1, 2, 3, 4, 5, 6, 8)
        for power in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1):
            for factor in factors:
                if self.low <= factor * 10.0**power <= self.high:
                    yield factor * 10.0**power


def axis(values: Sequence[float], start: float, end: float) -> Axis:
    """Return an axis that holds positive values, with room at both ends."""
    return Axis(min(values) / 1.15, max(values) * 1.15, start, end)


def draw(curves: Curves, quantity: str, path: Path) -> None:
    """Write a figure of positive numbers over positive seconds as PNG; without a point, remove what is there.

    A run's last point is marked. Points that have no place on a logarithmic axis are left out.
    """
    kept = {
        label: [[point for point in points if min(point) > 0] for points in runs] for label, runs in curves.items()
    }
    everything = [point for runs in kept.values() for points in runs for point in points]
    if not everything:
        path.unlink(missing_ok=True)
        return
    across = axis([seconds for seconds, _ in everything], LEFT, RIGHT)
    up = axis([value for _, value in everything], BOTTOM, TOP)
    canvas = Image.new("RGB", (SIDE[0] * SCALE, SIDE[1] * SCALE), "white")
    pen = ImageDraw.Draw(canvas)
    _frame(pen, across, up, quantity)
    for number, (label, runs) in enumerate(kept.items()):
        colour = COLOURS[number % len(COLOURS)]
        for points in runs:
            _curve(pen, [(across.at(seconds), up.at(value)) for seconds, value in points], colour)
        middle = TOP + 14 + 24 * number
        _curve(pen, [(RIGHT + 16, middle), (RIGHT + 40, middle)], colour)
        _write(pen, RIGHT + 50, middle, label, "lm")
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.resize(SIDE, Image.Resampling.BOX).quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def _frame(pen: ImageDraw.ImageDraw, across: Axis, up: Axis, quantity: str) -> None:
    for value in across.ticks():
        x = across.at(value) * SCALE
        pen.line((x, TOP * SCALE, x, BOTTOM * SCALE), LINE, SCALE)
        _write(pen, across.at(value), BOTTOM + 8, f"{value:,g}", "mt")
    for value in up.ticks():
        y = up.at(value) * SCALE
        pen.line((LEFT * SCALE, y, RIGHT * SCALE, y), LINE, SCALE)
        _write(pen, LEFT - 8, up.at(value), f"{value:,g}", "rm")
    pen.rectangle((LEFT * SCALE, TOP * SCALE, RIGHT * SCALE, BOTTOM * SCALE), outline=TEXT, width=SCALE)
    _write(pen, (LEFT + RIGHT) / 2, BOTTOM + 30, "seconds of training", "mt")
    _write(pen, LEFT + 8, TOP + 8, quantity, "lt")


def _curve(pen: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], colour: str) -> None:
    scaled = [(x * SCALE, y * SCALE) for x, y in points]
    if len(scaled) > 1:
        pen.line(scaled, colour, 2 * SCALE, joint="curve")
    for x, y in scaled[-1:]:
        pen.ellipse((x - 4 * SCALE, y - 4 * SCALE, x + 4 * SCALE, y + 4 * SCALE), colour)


def _write(pen: ImageDraw.ImageDraw, x: float, y: float, text: str, anchor: str) -> None:
    pen.text((x * SCALE, y * SCALE), text, TEXT, ImageFont.load_default(13 * SCALE), anchor)
