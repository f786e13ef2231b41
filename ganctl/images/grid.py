"""Many images as one."""

import math

import numpy as np

GAP = 2
"""Black pixels around each image."""


def grid(images: np.ndarray) -> np.ndarray:
    """Return images, uint8 [count, height, width, channels] side by side as one, uint8 [rows, columns, channels].

    As square as can be, in reading order, with black gaps and blanks.
    """
    count, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, channels), np.uint8)
    for number, image in enumerate(images):
        top, left = (
            GAP + step * (size + GAP) for step, size in zip(divmod(number, columns), (height, width), strict=True)
        )
        sheet[top : top + height, left : left + width] = image
    return sheet
