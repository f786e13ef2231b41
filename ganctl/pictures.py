"""Samples as pictures: grids of images, and scatter plots of points."""

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

GAP = 2
PLOT_SIDE = 512
REAL_COLOUR, FAKE_COLOUR = (160, 160, 160), (220, 60, 20)


def to_bytes(samples: Tensor, picture_range: tuple[float, float]) -> np.ndarray:
    """Return generated pictures [count, channels, height, width] as uint8 [count, height, width, channels]."""
    low, high = picture_range
    scaled = (samples.detach().float() - low) * (255 / (high - low))
    return scaled.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def to_image(pixels: np.ndarray) -> Image.Image:
    """Return one picture, uint8 [height, width, 1 or 3], as an image of mode L or RGB."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def grid(pictures: np.ndarray) -> np.ndarray:
    """Return pictures [count, height, width, channels] side by side as one, uint8 [rows, columns, channels].

    As square as can be, in reading order, with black gaps and blanks.
    """
    count, height, width, channels = pictures.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, channels), np.uint8)
    for number, picture in enumerate(pictures):
        top, left = (
            GAP + step * (size + GAP) for step, size in zip(divmod(number, columns), (height, width), strict=True)
        )
        sheet[top : top + height, left : left + width] = picture
    return sheet


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
    for points, colour, radius in ((real, REAL_COLOUR, 2 * scale), (fake, FAKE_COLOUR, 2 * scale)):
        unit = (points - centre) / reach * (1, -1)
        inside = np.isfinite(unit).all(1) & (np.abs(unit) <= 1).all(1)
        for x, y in (unit[inside] + 1) * (PLOT_SIDE * scale / 2):
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    outside = len(fake) - int(inside.sum())
    image = canvas.resize((PLOT_SIDE, PLOT_SIDE), Image.Resampling.BOX)
    draw = ImageDraw.Draw(image)
    if len(real):
        draw.text((8, 6), f"real ({len(real)})", fill=(110, 110, 110))
    draw.text((8, 20), f"fake ({len(fake)}" + (f", {outside} outside)" if outside else ")"), fill=FAKE_COLOUR)
    return np.asarray(image)


def save(pixels: np.ndarray, path: Path) -> None:
    """Write one picture, uint8 [height, width, 1 or 3], as PNG; whole or not at all."""
    temporary = path.with_name(f".{path.name}.tmp")
    to_image(pixels).save(temporary, format="PNG")
    temporary.replace(path)
