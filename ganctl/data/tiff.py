"""TIFF files of floats that Pillow does not read, or in the wrong order of bytes."""

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

SAMPLE_FORMAT = 339
FLOATS = (3,)
"""The value of that tag."""

for _order, _letter in ((b"II", ""), (b"MM", "B")):
    for _photometric in (0, 1):
        # Pillow has had the decoder of doubles for long, but no TIFF is led to it.
        TiffImagePlugin.OPEN_INFO[_order, _photometric, FLOATS, 1, (64,), ()] = ("F", f"F;64{_letter}F")
        TiffImagePlugin.OPEN_INFO[_order, _photometric, FLOATS, 1, (16,), ()] = (f"I;16{_letter}",) * 2


def with_floats(picture: Image.Image) -> Image.Image:
    """Return an opened picture such that its floats, of 16, 32 or 64 bits, are read as what they are.

    Only one of 16 bits is decoded for that, into mode F. Raises what Pillow raises on damaged files.
    """
    if not isinstance(picture, TiffImagePlugin.TiffImageFile) or picture.tag_v2.get(SAMPLE_FORMAT) != FLOATS:
        return picture
    if picture.mode == "F":
        # What libtiff has unpacked is in the machine's own order.
        picture.tile = [_in_own_order(tile) for tile in picture.tile]
        return picture
    if not picture.mode.startswith("I;16"):
        return picture
    return Image.fromarray(np.asarray(picture).astype(np.uint16).view(np.float16).astype(np.float32))


def _in_own_order(tile: ImageFile._Tile) -> ImageFile._Tile:
    if tile.codec_name != "libtiff" or not isinstance(tile.args, tuple):
        return tile
    rawmode, *rest = tile.args
    return tile._replace(args=(str(rawmode).replace("BF", "NF"), *rest))
