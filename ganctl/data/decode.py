"""One picture file to one square array of uint8."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

VERSION = 1
"""Of what `decode` makes of a picture; raise it when its pixels change, so that no cache serves the old ones."""

MAX_PIXELS = 1 << 27
"""Pictures of more pixels are refused before they are decoded (16,384×8,192)."""

FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")
"""What a picture may hold, whatever its name ends in: formats that are pixels, and no programs such as EPS."""

# The limit above stands in for Pillow's own, which warns or raises depending on the size.
Image.MAX_IMAGE_PIXELS = None


class BadPictureError(Exception):
    """A picture that cannot be used, and why; it is skipped and counted."""


@dataclass(frozen=True)
class Decoding:
    """How pictures are brought to one shape: side in pixels (None = chosen from the set), channels, fit."""

    side: int | None
    channels: int
    fit: str


def size_of(content: io.BytesIO) -> tuple[int, int]:
    """Return width and height from a picture's header.

    Raises `BadPictureError` if there is no such header.
    """
    with _open(content) as picture:
        return picture.size


def mode_of(content: io.BytesIO) -> str:
    """Return a picture's colour mode from its header as Pillow names it, such as RGB, L, P or CMYK.

    Raises `BadPictureError` if there is no such header.
    """
    with _open(content) as picture:
        return picture.mode


def decode(content: io.BytesIO, side: int, decoding: Decoding) -> np.ndarray:
    """Return a picture as uint8 [side, side, channels].

    Turned as its EXIF data says, the first frame of an animation, transparency over white, 16 bits and
    floats scaled to 8 bits, cropped to its largest centred square or squashed, resized by Lanczos.

    Raises `BadPictureError` if it does not decode or is larger than `MAX_PIXELS`.
    """
    with _open(content) as picture:
        try:
            ImageOps.exif_transpose(picture, in_place=True)
            flat = _to_mode(picture, "L" if decoding.channels == 1 else "RGB")
        except Exception as error:  # what Pillow raises on damaged files differs from format to format
            raise BadPictureError(str(error) or type(error).__name__) from error
    size = (side, side)
    if flat.size == size:
        square = flat
    elif decoding.fit == "crop":
        square = ImageOps.fit(flat, size, Image.Resampling.LANCZOS)
    else:
        square = flat.resize(size, Image.Resampling.LANCZOS)
    return np.asarray(square).reshape(side, side, decoding.channels)


def _open(content: io.BytesIO) -> Image.Image:
    try:
        picture = Image.open(content, formats=FORMATS)
    except Exception as error:
        empty = not content.getbuffer().nbytes
        raise BadPictureError("zero bytes" if empty else "not a picture that Pillow knows") from error
    if picture.width * picture.height > MAX_PIXELS:
        raise BadPictureError(f"{picture.width}×{picture.height} pixels")
    return picture


def _to_mode(picture: Image.Image, mode: str) -> Image.Image:
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        return Image.fromarray(_to_bytes(np.asarray(picture))).convert(mode)
    if picture.has_transparency_data:
        layers = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert(mode)
    return picture.convert(mode)


def _to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Scale 16-bit whole numbers by their type's range, and floats by 1 if they lie in [0, 1], else by 255."""
    values = pixels.astype(np.float64)
    if np.isnan(values).any():
        raise BadPictureError("pixels that are not numbers")
    top = 65535 if np.issubdtype(pixels.dtype, np.integer) else 1 if values.max(initial=0) <= 1 else 255
    return (values * (255 / top)).clip(0, 255).round().astype(np.uint8)
