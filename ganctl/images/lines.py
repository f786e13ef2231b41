"""Sequences as lines, each in a small plot of its own."""

import math

import numpy as np
from PIL import Image, ImageDraw

from ganctl.images.plot import FAKE_COLOUR, REAL_COLOUR, TEXT_COLOUR
from ganctl.images.png import grid

WIDEST, NARROWEST = 160, 32
"""Pixels of a plot's width."""

SHEET = 1600
"""Pixels of a row of many plots, which are narrower."""

SCALE = 2
"""Lines are drawn so many times larger and reduced, for smooth edges."""


def lines(real: np.ndarray, fake: np.ndarray, columns: int | None = None) -> np.ndarray:
    """Return a plot of each fake sequence over a real one, in so many columns, uint8 [height, width, 3].

    Sequences are float [count, length, channels], of which the first channel is drawn; there may be fewer real
    ones than fakes, or none. All plots have one y axis: the bounds of the real values (of the fakes if there are
    no real ones) and a tenth more. The bounds stand in the first plot, what lies outside is cut off.
    """
    columns = columns or math.ceil(math.sqrt(len(fake)))
    width = max(NARROWEST, min(WIDEST, SHEET // columns))
    framed = (real if len(real) else fake)[..., 0]
    finite = framed[np.isfinite(framed)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    margin = max((high - low) / 10, 1e-6 * max(1.0, abs(low + high)))
    plots = []
    for place, values in enumerate(fake):
        image = Image.new("RGB", (width * SCALE, width * 5 // 8 * SCALE), "white")
        if place < len(real):
            _line(image, real[place, :, 0], low - margin, high + margin, REAL_COLOUR)
        _line(image, values[:, 0], low - margin, high + margin, FAKE_COLOUR)
        plots.append(image.reduce(SCALE))
    if width == WIDEST:
        draw = ImageDraw.Draw(plots[0])
        draw.text((3, 2), f"{high:.3g}", fill=TEXT_COLOUR)
        draw.text((3, plots[0].height - 2), f"{low:.3g}", fill=TEXT_COLOUR, anchor="lb")
    return grid(np.stack([np.asarray(image) for image in plots]), columns)


def _line(image: Image.Image, values: np.ndarray, low: float, high: float, colour: tuple[int, int, int]) -> None:
    """Draw values, [length], over the width of an image whose height is from `low` to `high`."""
    last = max(1, len(values) - 1)
    heights = np.nan_to_num((high - values.astype(np.float64)) / (high - low), nan=2.0).clip(-1, 2)
    points = [(x / last * (image.width - 1), y * (image.height - 1)) for x, y in enumerate(heights.tolist())]
    ImageDraw.Draw(image).line(points, fill=colour, width=SCALE + 1)
