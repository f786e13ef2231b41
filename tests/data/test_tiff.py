"""TIFF files of floats: of 16, 32 and 64 bits, in both orders of bytes, packed and plain."""

import io
import struct
import zlib

import numpy as np
import pytest

from ganctl.data.decoding.decode import BadImageError, Decoding, decode, size_of
from tests.data.cached import pixels_of

PLAIN, DEFLATED = 1, 8
SHORT, LONG = 3, 4
VALUES = np.linspace(0, 1, 64).reshape(8, 8)


def tiff(values: np.ndarray, order: str, compression: int, orientation: int = 1) -> bytes:
    height, width = values.shape
    pixels = values.astype(values.dtype.newbyteorder(order)).tobytes()
    if compression == DEFLATED:
        pixels = zlib.compress(pixels)
    tags = [
        *((256, SHORT, width), (257, SHORT, height), (258, SHORT, values.itemsize * 8), (259, SHORT, compression)),
        *((262, SHORT, 1), (273, LONG, 8), (274, SHORT, orientation), (277, SHORT, 1), (278, SHORT, height)),
        *((279, LONG, len(pixels)), (339, SHORT, 3)),
    ]
    pixels += bytes(len(pixels) % 2)
    content = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", 8 + len(pixels)) + pixels
    content += struct.pack(f"{order}H", len(tags))
    for tag, kind, value in tags:
        content += struct.pack(f"{order}HHI", tag, kind, 1)
        content += struct.pack(f"{order}HH", value, 0) if kind == SHORT else struct.pack(f"{order}I", value)
    return content + bytes(4)


@pytest.mark.parametrize("compression", [PLAIN, DEFLATED])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_of_every_size_and_order_are_read_as_what_they_are(kind, order, compression):
    content = io.BytesIO(tiff(VALUES.astype(kind), order, compression))
    pixels = pixels_of(content, 8, Decoding(8, 1, "crop"))[..., 0]
    assert np.abs(pixels.astype(float) - VALUES * 255).max() <= 0.5 + 255 / 2048  # rounding, and that of 16 bits
    assert (decode(content, 8, Decoding(8, 1, "crop")).mode, size_of(content)) == ("F", (8, 8))


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_floats_stand_as_their_file_says(kind):
    content = io.BytesIO(tiff(VALUES[:4].astype(kind), "<", PLAIN, orientation=6))
    assert size_of(content) == (4, 8)
    pixels = pixels_of(content, 8, Decoding(8, 1, "squash"))[..., 0]
    assert pixels[0].mean() < pixels[-1].mean()
    assert pixels[:, 0].mean() > pixels[:, -1].mean()


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_floats_that_are_cut_off_are_bad(kind):
    content = bytearray(tiff(VALUES.astype(kind), "<", DEFLATED))
    content[8:40] = bytes(32)
    with pytest.raises(BadImageError):
        pixels_of(io.BytesIO(bytes(content)), 8, Decoding(8, 1, "crop"))


@pytest.mark.parametrize("order", ["<", ">"])
def test_whole_numbers_of_16_bits_are_none_of_them(order):
    content = tiff(np.full((8, 8), 257 * 128, np.uint16), order, PLAIN)
    whole = content.replace(
        struct.pack(f"{order}HHIHH", 339, SHORT, 1, 3, 0), struct.pack(f"{order}HHIHH", 339, SHORT, 1, 1, 0)
    )
    assert (pixels_of(io.BytesIO(whole), 8, Decoding(8, 1, "crop")) == 128).all()
