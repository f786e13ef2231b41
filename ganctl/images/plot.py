"""Points as a scatter plot, or as a histogram where they are numbers."""

import math
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw

PLOT_SIDE = 512
REAL_COLOUR, FAKE_COLOUR = (160, 160, 160), (220, 60, 20)
TEXT_COLOUR = (110, 110, 110)
BINS = 64
LEFT, TOP, RIGHT, BOTTOM = 52, 48, PLOT_SIDE - 16, PLOT_SIDE - 34
"""The edges of a histogram's axes, in pixels; the legend is above."""


def plot(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Return points, float [count, dimensions], as a histogram of numbers, else as a scatter plot."""
    return histogram(real, fake) if fake.shape[1] == 1 else scatter(real, fake)


def scatter(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Return a plot of fake points over real ones, uint8 [side, side, 3].

    Points are float [count, dimensions]; the first two dimensions are drawn (the only one against zero).
    The frame is the real points' bounds (the fake ones' if there are no real ones) and a quarter more; fakes
    outside it are counted in the legend.
    """
    real, fake = (np.pad(points, ((0, 0), (0, max(0, 2 - points.shape[1]))))[:, :2] for points in (real, fake))
    framed = real if len(real) else fake
    centre = (framed.max(0) + framed.min(0)) / 2
    reach = max(float((framed.max(0) - framed.min(0)).max()) / 2 * 1.25, 1e-6)
    scale = 2  # drawn larger and reduced, for smooth dots
    canvas = Image.new("RGB", (PLOT_SIDE * scale, PLOT_SIDE * scale), "white")
    draw = ImageDraw.Draw(canvas)
    radius = 2 * scale
    for points, colour in ((real, REAL_COLOUR), (fake, FAKE_COLOUR)):
        unit = (points - centre) / reach * (1, -1)
        inside = np.isfinite(unit).all(1) & (np.abs(unit) <= 1).all(1)
        for x, y in (unit[inside] + 1) * (PLOT_SIDE * scale / 2):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    outside = len(fake) - int(inside.sum())
    image = canvas.resize((PLOT_SIDE, PLOT_SIDE), Image.Resampling.BOX)
    _legend(image, len(real), len(fake), outside)
    return np.asarray(image)


def histogram(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Return densities of real and fake numbers over the same bins, uint8 [side, side, 3].

    Numbers are float [count, 1]. The x axis spans the real ones' bounds (the fake ones' if there are no real
    ones) and a quarter more; fakes outside it are counted in the legend, and in the density's total. The y
    axis reaches to three times the real ones' peak at most, where a higher bar of the fakes is cut off.
    """
    finite = fake[np.isfinite(fake)]
    framed = real if len(real) else finite if len(finite) else np.zeros(1)
    low, high = float(framed.min()), float(framed.max())
    reach = max((high - low) / 2 * 1.25, 1e-6 * max(1, abs(low + high)))
    edges = np.linspace((low + high) / 2 - reach, (low + high) / 2 + reach, BINS + 1)
    bars = [np.histogram(numbers, edges)[0] for numbers in (real, finite)]
    outside = len(fake) - int(bars[1].sum())
    counts = (max(1, len(real)), max(1, len(fake)))
    heights = [bar / count / (edges[1] - edges[0]) for bar, count in zip(bars, counts, strict=True)]
    peaks = [float(height.max()) for height in heights]
    top = min(max(peaks), 3 * peaks[0] if len(real) else peaks[1]) * 1.05 or 1
    image = Image.new("RGB", (PLOT_SIDE, PLOT_SIDE), "white")
    _axes(image, (float(edges[0]), float(edges[-1])), top)
    for height, colour in zip(heights, (REAL_COLOUR, FAKE_COLOUR), strict=True):
        _fill(image, np.minimum(height / top, 1), colour)
    _legend(image, len(real), len(fake), outside)
    return np.asarray(image)


def _axes(image: Image.Image, span: tuple[float, float], top: float) -> None:
    """Draw an x axis over a span and a y axis from 0 to `top`, with ticks at round numbers."""
    draw = ImageDraw.Draw(image)
    for value in _ticks(0, top):
        y = BOTTOM - value / top * (BOTTOM - TOP)
        draw.line((LEFT, y, RIGHT, y), fill=(232, 232, 232))
        draw.text((LEFT - 6, y), f"{value:g}", fill=TEXT_COLOUR, anchor="rm")
    for value in _ticks(*span):
        x = LEFT + (value - span[0]) / (span[1] - span[0]) * (RIGHT - LEFT)
        draw.line((x, BOTTOM, x, BOTTOM + 5), fill=TEXT_COLOUR)
        draw.text((x, BOTTOM + 9), f"{value:.10g}", fill=TEXT_COLOUR, anchor="mt")
    draw.line((LEFT, BOTTOM, RIGHT, BOTTOM), fill=TEXT_COLOUR)
    draw.text((RIGHT, 6), "density", fill=TEXT_COLOUR, anchor="rt")


def _ticks(low: float, high: float) -> list[float]:
    """Return 4 to 10 multiples of 1, 2 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10((high - low) / 4))
    step = next(power * factor for factor in (5, 2, 1) if power * factor <= (high - low) / 4)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [float(f"{number * step:.10g}") for number in range(first, last + 1)]


def _fill(image: Image.Image, heights: np.ndarray, colour: tuple[int, int, int]) -> None:
    """Lay bars, shares of the y axis, over an image: translucent, with an outline along their tops."""
    if not heights.any():
        return
    scale = 2  # drawn larger and reduced, for smooth edges
    x = np.repeat(np.linspace(LEFT, RIGHT, len(heights) + 1), 2)[1:-1]
    y = BOTTOM - np.repeat(heights, 2) * (BOTTOM - TOP)
    line = [(float(across) * scale, float(down) * scale) for across, down in zip(x, y, strict=True)]
    layer = Image.new("RGBA", (PLOT_SIDE * scale, PLOT_SIDE * scale), (*colour, 0))
    draw = ImageDraw.Draw(layer)
    draw.polygon([(LEFT * scale, BOTTOM * scale), *line, (RIGHT * scale, BOTTOM * scale)], fill=(*colour, 110))
    for start, end in pairwise(line):
        if min(start[1], end[1]) < BOTTOM * scale:
            draw.line((*start, *end), fill=(*colour, 255), width=2 * scale)
    smooth = layer.resize((PLOT_SIDE, PLOT_SIDE), Image.Resampling.BOX)
    image.paste(smooth, mask=smooth)


def _legend(image: Image.Image, real: int, fake: int, outside: int) -> None:
    draw = ImageDraw.Draw(image)
    if real:
        draw.text((8, 6), f"real ({real})", fill=TEXT_COLOUR)
    draw.text((8, 20), f"fake ({fake}" + (f", {outside} outside)" if outside else ")"), fill=FAKE_COLOUR)
