"""One image file to one square array of uint8."""

import io
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageFile, ImageOps, TiffImagePlugin

from ganctl.data.decoding import depth
from ganctl.data.decoding.depth import Ends, Values
from ganctl.data.decoding.formats import FORMATS, LOOKED_AT, is_heif, kind_of

VERSION = 2
"""Of what `decode` makes of an image; raise it when its pixels change, so that no cache serves the old ones."""

MAX_PIXELS = 1 << 27
"""Images of more pixels are refused before they are decoded (16,384×8,192)."""

# The limit above stands in for Pillow's own, which warns or raises depending on the size.
Image.MAX_IMAGE_PIXELS = None

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""What images become, by the number of channels."""

LYING = frozenset((5, 6, 7, 8))
"""EXIF orientations that swap width and height."""

COUNTED, TOLD = frozenset(("GIF", "TIFF")), frozenset(("AVIF", "PNG", "WEBP"))
"""Formats of which each frame is an image, to be counted, or given by the header; those in a JPEG are previews."""

MANY_PIXELS = 1 << 24
"""Of images of more pixels, one is decoded at a time, by all workers together, so that memory is bounded."""

FLOATS = (3,)
"""The TIFF tag `SAMPLE_FORMAT` of floats."""

for _order, _letter in ((b"II", ""), (b"MM", "B")):
    for _photometric in (0, 1):
        # Pillow has had the decoder of doubles for long, but no TIFF is led to it.
        TiffImagePlugin.OPEN_INFO[_order, _photometric, FLOATS, 1, (64,), ()] = ("F", f"F;64{_letter}F")
        TiffImagePlugin.OPEN_INFO[_order, _photometric, FLOATS, 1, (16,), ()] = (f"I;16{_letter}",) * 2


class BadImageError(Exception):
    """An image that cannot be used, and why; it is skipped and counted."""


@dataclass(frozen=True)
class Decoding:
    """How images are brought to one shape: side in pixels (None = chosen from the set), channels, fit.

    `range` are black and white in images of more than 8 bits, None = found from the set; `frames` is first or all.
    """

    side: int | None
    channels: int
    fit: str
    range: Ends | None = None
    frames: str = "first"

    def settings(self) -> dict[str, object]:
        """Return what decides about the pixels, without later keys where they change nothing."""
        later = {"range": self.range, "frames": self.frames if self.frames != "first" else None}
        first = {"side": self.side, "channels": self.channels, "fit": self.fit}
        return first | {key: value for key, value in later.items() if value}


class Decoded(NamedTuple):
    """An image as uint8 [side, side, channels], how many values its range cut off, and its file's frames.

    There are no pixels where the range of `values`, those of more than 8 bits, is still to be found. `mode`, as
    Pillow names it, and `size` (width, height) are those of the file.
    """

    pixels: np.ndarray | None
    mode: str
    size: tuple[int, int]
    frames: int
    values: Values | None = None
    outside: int = 0


def size_of(content: io.BytesIO) -> tuple[int, int]:
    """Return width and height from an image's header, after the rotation that its EXIF data asks for.

    Raises `BadImageError` if there is no such header.
    """
    with _open(content) as image:
        width, height = image.size
        if image.format == "TIFF":
            return width, height  # Pillow has turned it already
        kind = Image.Image if image.format == "PNG" else type(image)  # a PNG's own method decodes all of it
        with suppress(Exception):  # damaged EXIF data turns nothing
            if kind.getexif(image).get(ExifTags.Base.Orientation) in LYING:
                return height, width
        return width, height


def count_frames(content: io.BytesIO) -> int:
    """Return how many frames or pages an image has, by its headers.

    Raises `BadImageError` if there is no such header.
    """
    with _open(content) as image:
        return _frames_of(image)


def _frames_of(image: Image.Image) -> int:
    """Return how many frames or pages an open image has; 1 where they cannot be counted."""
    if image.format not in COUNTED | TOLD:
        return 1
    with suppress(Exception):  # what Pillow raises on a damaged second frame; the first may be intact
        return max(1, int(getattr(image, "n_frames", 1)))
    return 1


def decode(
    content: io.BytesIO,
    side: int,
    decoding: Decoding,
    *,
    frame: int = 0,
    ranges: dict[str, Ends] | None = None,
    alone: AbstractContextManager[Any] | None = None,
) -> Decoded:
    """Return an image as uint8 [side, side, channels].

    Turned as its EXIF data says, one frame of an animation, cropped to its largest centred square, squashed, or
    padded with black, resized by Lanczos. Transparency lies over white; with 4 channels the last is alpha, what is
    padded is transparent, and transparent pixels have the colour 0.
    Values of more than 8 bits are scaled by `decoding.range`, or the range of their kind in `ranges`; without one
    the values are described instead. Images of more than `MANY_PIXELS` are decoded while the lock `alone` is held.

    Raises `BadImageError` if it does not decode or is larger than `MAX_PIXELS`.
    """
    with _open(content) as image, _held(image, alone), _refusing():
        mode = image.mode
        if frame:
            image.seek(frame)
            _require_size(image)
        frames = count_frames(content) if image.format in COUNTED else _frames_of(image)
        kind = depth.kind_of_values(image)
        ImageOps.exif_transpose(image, in_place=True)
        image.load()
        found = Decoded(None, mode, image.size, frames)
        if kind is None:
            return found._replace(pixels=_squared(_to_mode(image, MODES[decoding.channels]), side, decoding))
        values = depth.together([depth.values_in(rows, kind) for _, rows in depth.bands(image)])
        if values.high != values.high:
            raise BadImageError("values that are not finite numbers")
        ends = decoding.range or (ranges or {}).get(kind)
        if ends is None:
            return found._replace(values=values)
        grey, outside = depth.to_bytes(image, ends)
        pixels = _squared(_to_mode(grey, MODES[decoding.channels]), side, decoding)
        return found._replace(pixels=pixels, values=values, outside=outside)


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what Pillow raises on damaged files, which differs from format to format, into `BadImageError`."""
    try:
        yield
    except BadImageError:
        raise
    except Exception as error:
        raise BadImageError(_words(error)) from error


def _held(image: Image.Image, alone: AbstractContextManager[Any] | None) -> AbstractContextManager[Any]:
    return alone if alone is not None and image.width * image.height > MANY_PIXELS else nullcontext()


def _squared(flat: Image.Image, side: int, decoding: Decoding) -> np.ndarray:
    """Return an 8-bit image as [side, side, channels]; Pillow resizes colours multiplied by their alpha."""
    square, size = flat, (side, side)
    if flat.size != size and decoding.fit == "crop":
        square = ImageOps.fit(flat, size, Image.Resampling.LANCZOS)
    elif flat.size != size:
        scale = side / max(flat.size) if decoding.fit == "pad" else 0
        width, height = (max(1, round(length * scale)) if scale else side for length in flat.size)
        resized = flat.resize((width, height), Image.Resampling.LANCZOS)
        square = Image.new(flat.mode, size)
        square.paste(resized, ((side - width) // 2, (side - height) // 2))
    pixels = np.asarray(square).reshape(side, side, decoding.channels)
    return np.where(pixels[..., 3:] > 0, pixels, np.uint8(0)) if decoding.channels == 4 else pixels


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
    heif = is_heif(start) and heif_is_read()
    try:
        image = Image.open(content, formats=("HEIF",) if heif else tuple(FORMATS))
    except Exception as error:
        told = "a HEIC image that does not decode" if heif else kind_of(start)
        reason = told or _reason(content, start) or "not an image that Pillow knows"
        raise BadImageError(reason) from error
    _require_size(image)
    with _refusing():
        return _with_floats(image)


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
            return f"a {name} file that Pillow cannot read: {_words(error)}"
    return None


def _words(error: Exception) -> str:
    """Return what an error says, without the address of the file in memory."""
    return re.sub(r"\s*<_io\.\w+ object at 0x[0-9a-f]+>", "", str(error)) or type(error).__name__


def _require_size(image: Image.Image) -> None:
    if not 0 < image.width * image.height <= MAX_PIXELS:
        raise BadImageError(f"{image.width}×{image.height} pixels")


def _to_mode(image: Image.Image, mode: str) -> Image.Image:
    """Return an image as 8-bit grey, colour, or colour with alpha, in bands so that one copy is enough.

    Without alpha transparency lies over white.
    """
    flattened = image.has_transparency_data and mode != "RGBA"
    if image.mode == mode and not flattened:
        return image
    change = _over_white if flattened else Image.Image.convert
    if image.width * image.height <= depth.BAND_PIXELS:
        return change(image, mode)
    flat = Image.new(mode, image.size)
    for top, strip in depth.strips(image):
        flat.paste(change(strip, mode), (0, top))
    return flat


def _over_white(image: Image.Image, mode: str) -> Image.Image:
    layers = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert(mode)


def _with_floats(image: Image.Image) -> Image.Image:
    """Return an opened image such that its floats, of 16, 32 or 64 bits, are read as what they are.

    Only one of 16 bits is decoded for that, into mode F. Raises what Pillow raises on damaged files.
    """
    if not isinstance(image, TiffImagePlugin.TiffImageFile) or image.tag_v2.get(depth.SAMPLE_FORMAT) != FLOATS:
        return image
    if image.mode == "F":
        image.tile = [_in_own_order(tile) for tile in image.tile]
    if not image.mode.startswith("I;16"):
        return image
    return Image.fromarray(np.asarray(image).astype(np.uint16).view(np.float16).astype(np.float32))


def _in_own_order(tile: ImageFile._Tile) -> ImageFile._Tile:
    """Return a tile as libtiff unpacks it, in the machine's own order."""
    if tile.codec_name != "libtiff" or not isinstance(tile.args, tuple):
        return tile
    rawmode, *rest = tile.args
    return tile._replace(args=(str(rawmode).replace("BF", "NF"), *rest))
