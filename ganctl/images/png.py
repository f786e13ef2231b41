"""Images as PNG files."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from ganctl.runtime.disk import temporary


def to_image(pixels: np.ndarray) -> Image.Image:
    """Return one image, uint8 [height, width, 1 or 3], as an image of mode L or RGB."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def encoded(pixels: np.ndarray) -> bytes:
    """Return one image, uint8 [height, width, 1 or 3], as the bytes of a PNG file."""
    content = io.BytesIO()
    to_image(pixels).save(content, format="PNG")
    return content.getvalue()


def save(pixels: np.ndarray, path: Path) -> None:
    """Write one image, uint8 [height, width, 1 or 3], as PNG; intact or not at all."""
    unfinished = temporary(path)
    unfinished.write_bytes(encoded(pixels))
    unfinished.replace(path)
