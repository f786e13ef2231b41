"""Images of one size to another."""

import numpy as np
from PIL import Image


def resize(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return images [count, height, width] or [count, height, width, 3] as squares of `side` pixels.

    Bicubic, over a wider window where images shrink, so that no pixel is skipped. uint8 or float32.
    """
    if pixels.shape[1:3] == (side, side):
        return pixels
    sized = [Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC) for image in pixels]
    return np.stack([np.asarray(image) for image in sized])
