"""Pictures of one size to another."""

import numpy as np
from PIL import Image


def resize(pictures: np.ndarray, side: int) -> np.ndarray:
    """Return pictures, uint8 [count, height, width] or [count, height, width, 3], as squares of `side` pixels.

    Bicubic, wider where pictures shrink, so that nothing is skipped.
    """
    if pictures.shape[1:3] == (side, side):
        return pictures
    sized = [Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC) for picture in pictures]
    return np.stack([np.asarray(picture) for picture in sized])
