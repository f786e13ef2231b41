"""One picture file to one square array of uint8."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, ImageOps

from ganctl.data.kinds import FORMATS, LOOKED_AT, is_heif, kind_of
from ganctl.data.tiff import with_floats

VERSION = 1
"""Of what `decode` makes of a picture; raise it when its pixels change, so that no cache serves the old ones."""

MAX_PIXELS = 1 << 27
"""Pictures of more pixels are refused before they are decoded (16,384×8,192)."""

# The limit above stands in for Pillow's own, which warns or raises depending on the size.
Image.MAX_IMAGE_PIXELS = None

HEIF = ("HEIF",)
LYING = frozenset((5, 6, 7, 8))
"""EXIF orientations of a picture that is stored on its side."""


class BadPictureError(Exception):
    """A picture that cannot be used, and why; it is skipped and counted."""


@dataclass(frozen=True)
class Decoding:
    """How pictures are brought to one shape: side in pixels (None = chosen from the set), channels, fit."""

    side: int | None
    channels: int
    fit: str


def size_of(content: io.BytesIO) -> tuple[int, int]:
    """Return width and height from a picture's header, as it stands when its EXIF turn is heeded.

    Raises `BadPictureError` if there is no such header.
    """
    with _open(content) as picture:
        width, height = picture.size
        if picture.format == "TIFF":
            return width, height  # Pillow has turned it already
        # A PNG's own method decodes all of it, for what may follow its pixels.
        kind = Image.Image if picture.format == "PNG" else type(picture)
        try:
            lying = kind.getexif(picture).get(ExifTags.Base.Orientation) in LYING
        except Exception:  # damaged EXIF data turns nothing
            lying = False
        return (height, width) if lying else (width, height)


def mode_of(content: io.BytesIO) -> str:
    """Return a picture's colour mode from its header as Pillow names it, such as RGB, L, P or CMYK.

    Raises `BadPictureError` if there is no such header.
    """
    with _open(content) as picture:
        return picture.mode


def decode(content: io.BytesIO, side: int, decoding: Decoding) -> np.ndarray:
    """Return a picture as uint8 [side, side, channels].

    Turned as its EXIF data says, the first frame of an animation, transparency over white, 16 bits and
    floats scaled to 8 bits, cropped to its largest centred square, squashed, or kept whole between black borders,
    resized by Lanczos.

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
    elif decoding.fit == "pad":
        square = _padded(flat, side)
    else:
        square = flat.resize(size, Image.Resampling.LANCZOS)
    return np.asarray(square).reshape(side, side, decoding.channels)


def heif_is_read() -> bool:
    """Return whether HEIC images can be decoded, which needs the extra package pillow-heif."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True


def _open(content: io.BytesIO) -> Image.Image:
    start = bytes(content.getbuffer()[:LOOKED_AT])
    formats = HEIF if is_heif(start) and heif_is_read() else tuple(FORMATS)
    try:
        picture = Image.open(content, formats=formats)
    except Exception as error:
        told = f"a HEIC image that does not decode: {error}" if formats == HEIF else kind_of(start)
        reason = told or _reason(content, start) or "not an image that Pillow knows"
        raise BadPictureError(reason) from error
    if picture.width * picture.height > MAX_PIXELS:
        raise BadPictureError(f"{picture.width}×{picture.height} pixels")
    try:
        return with_floats(picture)
    except Exception as error:  # as in `decode`
        raise BadPictureError(str(error) or type(error).__name__) from error


def _reason(content: io.BytesIO, start: bytes) -> str | None:
    """Return why Pillow refuses a file that begins as one of the formats, which it keeps to itself."""
    for name in FORMATS:
        factory, accepts = Image.OPEN[name]
        if accepts is None or accepts(start) is not True:
            continue
        try:
            content.seek(0)
            factory(content, "")
        except Exception as error:
            return f"a {name} file that Pillow cannot read: {str(error) or type(error).__name__}"
    return None


def _padded(picture: Image.Image, side: int) -> Image.Image:
    scale = side / max(picture.size)
    size = [max(1, round(length * scale)) for length in picture.size]
    square = Image.new(picture.mode, (side, side))
    whole = picture.resize((size[0], size[1]), Image.Resampling.LANCZOS)
    square.paste(whole, ((side - size[0]) // 2, (side - size[1]) // 2))
    return square


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
