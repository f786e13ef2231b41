"""Small images at their places on a map."""

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate

from ganctl.images.alpha import over_white
from ganctl.images.plot import FAKE_COLOUR, REAL_COLOUR

CELL = 32
"""Pixels a side of a cell: an image within a frame."""

FRAME = 2
HEAD = 16
"""Pixels above the cells, for the legend."""


def thumbnails(rows: Tensor) -> np.ndarray:
    """Return images, uint8 [n, height, width, 1, 3 or 4], as large as fits into a cell, uint8 [n, …, 3].

    Their proportions are kept. Those with alpha lie over white.
    """
    images = over_white(rows.permute(0, 3, 1, 2).float(), (0.0, 255.0))
    scale = (CELL - 2 * FRAME) / max(images.shape[2:])
    size = [max(1, round(side * scale)) for side in images.shape[2:]]
    small = interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
    pixels: np.ndarray = small.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return np.broadcast_to(pixels, (*pixels.shape[:3], 3))


def overview(images: np.ndarray, frames: np.ndarray, cells: np.ndarray, side: int) -> np.ndarray:
    """Return some images at their places on a map, `side` cells wide and high, uint8 [height, width, 3].

    `images` are thumbnails, `frames` the colour of each, uint8 [n, 3], and `cells` the row, column and number of
    each one that is shown, int64 [shown, 3].
    """
    sheet = np.full((HEAD + side * CELL, side * CELL, 3), 255, np.uint8)
    height, width = images.shape[1:3]
    for row, column, number in cells:
        top, left = HEAD + row * CELL + (CELL - height) // 2, column * CELL + (CELL - width) // 2
        sheet[top - FRAME : top + height + FRAME, left - FRAME : left + width + FRAME] = frames[number]
        sheet[top : top + height, left : left + width] = images[number]
    picture = Image.fromarray(sheet)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(HEAD - 3)
    left = FRAME
    for name, colour in (("real", REAL_COLOUR), ("fake", FAKE_COLOUR)):
        if (frames == colour).all(1).any():
            draw.text((left, 0), f"framed: {name}", fill=colour, font=font)
            left += CELL * 4
    return np.asarray(picture)
