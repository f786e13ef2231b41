import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps

from ganctl.data.decoding import decode as decoding_module
from ganctl.data.decoding import depth
from ganctl.data.decoding.decode import BadImageError, Decoding, count_frames, decode, size_of
from ganctl.data.decoding.depth import decide
from tests.data.drawn import BLUE, GREEN, RED, WHITE, encoded, plain


def decoded(content: bytes, side: int, channels: int = 3, fit: str = "crop") -> np.ndarray:
    """Decode a set of this one image, the range of its values found as for any set."""
    decoding = Decoding(side, channels, fit)
    found = decode(io.BytesIO(content), side, decoding)
    if found.pixels is None:
        assert found.values is not None
        ranges = {kind: each.ends for kind, each in decide([found.values], "set").items()}
        found = decode(io.BytesIO(content), side, decoding, ranges=ranges)
    assert found.pixels is not None
    return found.pixels


def numbered(height: int, width: int) -> np.ndarray:
    """A image of which every pixel has its own colour."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows, columns, rows * width + columns], axis=-1).astype(np.uint8)


def quadrants(side: int) -> Image.Image:
    """Red and green above blue and white."""
    image = Image.new("RGB", (2 * side, 2 * side))
    for colour, corner in ((RED, (0, 0)), (GREEN, (side, 0)), (BLUE, (0, side)), (WHITE, (side, side))):
        image.paste(colour, (*corner, corner[0] + side, corner[1] + side))
    return image


def thirds(width: int, height: int) -> Image.Image:
    """Red, green and blue from left to right."""
    image = Image.new("RGB", (width, height))
    for number, colour in enumerate((RED, GREEN, BLUE)):
        image.paste(colour, (number * width // 3, 0, (number + 1) * width // 3, height))
    return image


def png_header(width: int, height: int) -> bytes:
    """A PNG file that claims a size and holds no pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_an_image_of_the_wanted_size_keeps_its_pixels():
    pixels = numbered(8, 8)
    result = decoded(encoded(Image.fromarray(pixels)), 8)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, pixels)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_truncated_image_is_bad(kind):
    whole = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)), kind)
    assert decoded(whole, 8).shape == (8, 8, 3)
    with pytest.raises(BadImageError):
        decoded(whole[: len(whole) // 2], 8)


def test_a_file_of_zero_bytes_is_bad_and_says_so():
    with pytest.raises(BadImageError, match=r"^zero bytes$"):
        decoded(b"", 8)


def test_a_file_that_is_no_image_is_bad():
    with pytest.raises(BadImageError, match=r"^an HTML page"):
        decoded(b"<html>404</html>", 8)


def test_a_header_that_pillow_gives_up_on_is_bad():
    content = bytearray(encoded(Image.new("RGB", (8, 8)), "DDS"))
    content[80:84] = bytes(4)  # the pixel format's flags; Pillow raises NotImplementedError for none
    with pytest.raises(BadImageError, match=r"^not an image that Pillow knows$"):
        decoded(bytes(content), 8)


@pytest.mark.parametrize("error", [RuntimeError("no frame"), struct.error("short"), KeyError("tag"), OSError()])
def test_whatever_a_decoder_raises_makes_a_bad_image_with_a_reason(monkeypatch, error):
    def fail(image, *, in_place):
        raise error

    monkeypatch.setattr(ImageOps, "exif_transpose", fail)
    with pytest.raises(BadImageError, match=str(error) or "^OSError$"):
        decoded(plain(), 8)


def test_too_many_pixels_are_refused_before_anything_is_decoded(monkeypatch):
    loads = []
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: loads.append(image))
    content = png_header(60000, 60000)
    with pytest.raises(BadImageError, match=r"^60000×60000 pixels$"):
        decoded(content, 8)
    with pytest.raises(BadImageError, match=r"^60000×60000 pixels$"):
        size_of(io.BytesIO(content))
    assert loads == []


def test_the_limit_on_pixels_itself_is_allowed(monkeypatch):
    monkeypatch.setattr(decoding_module, "MAX_PIXELS", 12)
    assert decoded(plain(size=(4, 3)), 2).shape == (2, 2, 3)
    with pytest.raises(BadImageError, match="13×1"):
        decoded(plain(size=(13, 1)), 2)


def test_pillows_own_limit_does_not_stand_in_the_way():
    assert Image.MAX_IMAGE_PIXELS is None
    assert size_of(io.BytesIO(png_header(16384, 8192))) == (16384, 8192)


def test_the_size_is_read_from_the_header():
    assert size_of(io.BytesIO(plain(size=(7, 5)))) == (7, 5)
    with pytest.raises(BadImageError, match=r"^plain text$"):
        size_of(io.BytesIO(b"text"))


def test_16_bit_grey_is_scaled_and_rounded_to_8_bits():
    values = np.array([[0, 257, 384], [386, 32896, 65278], [65406, 65407, 65535]], np.uint16)
    expected = [[0, 1, 1], [2, 128, 254], [254, 255, 255]]
    result = decoded(encoded(Image.fromarray(values)), 3)
    for channel in range(3):
        np.testing.assert_array_equal(result[..., channel], expected)
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(values)), 3, channels=1)[..., 0], expected)


@pytest.mark.parametrize("scale", [1 / 65535, 1 / 257])
def test_floats_are_scaled_by_1_or_by_255(scale):
    values = (np.array([[0, 257], [32896, 65535]]) * scale).astype(np.float32)
    result = decoded(encoded(Image.fromarray(values), "TIFF"), 2, channels=1)
    np.testing.assert_array_equal(result[..., 0], [[0, 1], [128, 255]])


@pytest.mark.parametrize("top", [255, 65535])
def test_32_bit_whole_numbers_are_scaled_by_8_or_16_bits(top):
    values = np.array([[0, 1], [128, 255]], np.int32) * (top // 255)
    result = decoded(encoded(Image.fromarray(values), "TIFF"), 2, channels=1)
    np.testing.assert_array_equal(result[..., 0], [[0, 1], [128, 255]])


def test_a_given_range_counts_whatever_the_values_and_what_it_cuts_off_is_counted():
    content = io.BytesIO(encoded(Image.fromarray(np.array([[-1000, 400], [-2000, 3000]], np.int32)), "TIFF"))
    found = decode(content, 2, Decoding(2, 1, "crop", (-1000, 400)))
    np.testing.assert_array_equal(found.pixels[..., 0], [[0, 255], [0, 255]])
    assert (found.outside, found.values.low, found.values.high) == (2, -2000, 3000)


def tiff(rows: np.ndarray, sample_format: int) -> bytes:
    """A TIFF file of one uncompressed strip, of a kind that Pillow does not write."""
    height, width = rows.shape
    tags = [
        (256, 4, width),
        (257, 4, height),
        (258, 3, rows.dtype.itemsize * 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, height),
        (279, 4, rows.nbytes),
        (339, 3, sample_format),
    ]
    listed = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    body = rows.tobytes()
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(tags)) + listed + bytes(4)


@pytest.mark.parametrize(
    ("dtype", "sample_format", "low", "high"), [(np.int8, 2, -128, 127), (np.uint32, 1, 0, 4294967295)]
)
def test_signed_bytes_and_unsigned_32_bits_are_read_as_what_they_are(dtype, sample_format, low, high):
    rows = np.linspace(low, high, 16).astype(dtype).reshape(4, 4)
    found = decode(io.BytesIO(tiff(rows, sample_format)), 4, Decoding(4, 1, "crop", (low, high)))
    assert (found.values.low, found.values.high, found.outside) == (low, high, 0)
    assert (np.diff(found.pixels.reshape(-1).astype(int)) > 0).all()
    assert (found.pixels.min(), found.pixels.max()) == (0, 255)


def test_a_transparent_value_of_16_bit_grey_becomes_white():
    values = np.array([[0, 1000], [32896, 65535]], np.uint16)
    content = encoded(Image.fromarray(values), transparency=1000)
    np.testing.assert_array_equal(decoded(content, 2, channels=1)[..., 0], [[0, 255], [128, 255]])


@pytest.mark.parametrize("size", [(0, 4), (4, 0)])
def test_an_image_without_width_or_height_is_bad(size):
    with pytest.raises(BadImageError):
        decoded(png_header(*size), 2)


@pytest.mark.parametrize("mode", ["RGBA", "P", "CMYK", "I;16"])
def test_an_image_of_many_bands_decodes_as_one_of_a_single_band(monkeypatch, mode):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 4), np.uint8)
    whole = Image.fromarray(pixels, "RGBA")
    if mode == "I;16":
        whole = Image.fromarray(pixels[..., 0].astype(np.uint16) * 257)
    content = encoded(whole if mode in ("RGBA", "I;16") else whole.convert("RGB").convert(mode), "TIFF")
    once = decoded(content, 16)
    monkeypatch.setattr(depth, "BAND_PIXELS", 100)
    np.testing.assert_array_equal(decoded(content, 16), once)


def test_frames_are_counted_and_each_can_be_decoded():
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    for kind in ("GIF", "TIFF", "PNG", "WEBP"):
        content = io.BytesIO(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
        assert count_frames(content) == decode(content, 8, Decoding(8, 3, "crop")).frames == 3, kind
        for number, colour in enumerate((RED, GREEN, BLUE)):
            pixels = decode(content, 8, Decoding(8, 3, "crop"), frame=number).pixels
            np.testing.assert_allclose(pixels[4, 4].astype(int), colour, atol=3, err_msg=kind)


def test_floats_that_are_not_numbers_make_a_bad_image():
    values = np.array([[0, np.nan], [1, 1]], np.float32)
    with pytest.raises(BadImageError, match="not finite numbers"):
        decoded(encoded(Image.fromarray(values), "TIFF"), 2)


def test_one_bit_a_pixel_becomes_black_and_white():
    bits = np.array([[True, False], [False, True]])
    result = decoded(encoded(Image.fromarray(bits)), 2)
    np.testing.assert_array_equal(result[..., 0], [[255, 0], [0, 255]])
    np.testing.assert_array_equal(result, result[..., :1].repeat(3, axis=-1))


def palette_image() -> Image.Image:
    image = Image.new("P", (2, 2))
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)
    image.putpixel((0, 1), 1)
    return image


def test_a_palette_is_resolved():
    np.testing.assert_array_equal(decoded(encoded(palette_image()), 2), [[RED, GREEN], [GREEN, RED]])


@pytest.mark.parametrize(("transparency", "seen"), [(0, WHITE), (bytes([128, 255]), (255, 127, 127))])
def test_a_palettes_transparency_lies_over_white(transparency, seen):
    content = encoded(palette_image(), transparency=transparency)
    np.testing.assert_array_equal(decoded(content, 2), [[seen, GREEN], [GREEN, seen]])


def test_alpha_lies_over_white():
    pixels = np.array([[(*RED, 255), (*RED, 0)], [(*RED, 128), (0, 0, 0, 51)]], np.uint8)
    result = decoded(encoded(Image.fromarray(pixels)), 2)
    np.testing.assert_array_equal(result, [[RED, WHITE], [(255, 127, 127), (204, 204, 204)]])


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_with_alpha_lies_over_white(channels):
    image = Image.new("LA", (2, 2))
    for place, value in {(0, 0): (100, 255), (1, 0): (0, 0), (0, 1): (0, 51), (1, 1): (0, 255)}.items():
        image.putpixel(place, value)
    result = decoded(encoded(image), 2, channels)
    assert result.shape == (2, 2, channels)
    for channel in range(channels):
        np.testing.assert_array_equal(result[..., channel], [[100, 255], [204, 0]])


def test_a_transparent_colour_lies_over_white():
    image = Image.fromarray(np.array([[RED, GREEN], [BLUE, RED]], np.uint8))
    content = encoded(image, transparency=RED)
    np.testing.assert_array_equal(decoded(content, 2), [[WHITE, GREEN], [BLUE, WHITE]])


@pytest.mark.parametrize(
    ("ink", "colour"),
    [((0, 255, 255, 0), RED), ((255, 0, 255, 0), GREEN), ((0, 0, 0, 0), WHITE), ((0, 0, 0, 255), (0, 0, 0))],
)
def test_cmyk_jpeg_becomes_the_colour_that_is_printed(ink, colour):
    result = decoded(encoded(Image.new("CMYK", (8, 8), ink), "JPEG", quality=100), 8)
    assert np.abs(result.astype(int) - colour).max() <= 1  # JPEG rounds


def test_a_jpeg_with_exif_orientation_6_is_turned_clockwise():
    exif = Image.Exif()
    exif[0x0112] = 6
    content = encoded(quadrants(8), "JPEG", quality=100, subsampling=0, exif=exif)
    expected = np.empty((16, 16, 3), int)
    expected[:8, :8], expected[:8, 8:], expected[8:, 8:], expected[8:, :8] = BLUE, RED, GREEN, WHITE
    assert np.abs(decoded(content, 16) - expected).max() <= 2  # JPEG rounds


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda pixels: pixels),
        (2, np.fliplr),
        (3, lambda pixels: np.rot90(pixels, 2)),
        (4, np.flipud),
        (5, lambda pixels: pixels.swapaxes(0, 1)),
        (6, lambda pixels: np.rot90(pixels, -1)),
        (7, lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1)),
        (8, lambda pixels: np.rot90(pixels, 1)),
    ],
)
def test_every_exif_orientation_is_undone(orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = numbered(6, 6)
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(pixels), exif=exif), 6), turn(pixels))


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (4, 4), colour) for colour in (BLUE, GREEN, RED)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)
    assert Image.open(io.BytesIO(content)).n_frames == 3
    np.testing.assert_array_equal(decoded(content, 4), np.full((4, 4, 3), BLUE))


@pytest.mark.parametrize("fit", ["crop", "squash"])
@pytest.mark.parametrize("size", [(1, 1), (10000, 3), (3, 10000), (1, 300)])
def test_a_plain_image_of_any_shape_stays_plain(size, fit):
    result = decoded(plain((10, 200, 30), size), 8, fit=fit)
    np.testing.assert_array_equal(result, np.full((8, 8, 3), (10, 200, 30)))


def test_crop_takes_the_largest_centred_square():
    np.testing.assert_array_equal(decoded(encoded(thirds(30, 10)), 10), np.full((10, 10, 3), GREEN))
    upright = thirds(30, 10).transpose(Image.Transpose.ROTATE_270)
    np.testing.assert_array_equal(decoded(encoded(upright), 10), np.full((10, 10, 3), GREEN))


def test_crop_takes_pixels_from_the_middle_of_a_wide_image():
    pixels = numbered(4, 10)
    np.testing.assert_array_equal(decoded(encoded(Image.fromarray(pixels)), 4), pixels[:, 3:7])


def test_squash_keeps_the_whole_image():
    result = decoded(encoded(thirds(300, 100)), 30, fit="squash")
    for column, colour in ((0, RED), (15, GREEN), (29, BLUE)):
        np.testing.assert_array_equal(result[:, column], np.full((30, 3), colour))


def test_grey_is_weighted_by_luma():
    image = Image.fromarray(np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8))
    result = decoded(encoded(image), 2, channels=1)
    assert result.shape == (2, 2, 1)
    np.testing.assert_array_equal(result[..., 0], [[76, 150], [29, 255]])  # 0.299, 0.587, 0.114 of 255


def test_grey_files_fill_all_three_channels():
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4) * 17
    result = decoded(encoded(Image.fromarray(pixels)), 4)
    np.testing.assert_array_equal(result, pixels[..., None].repeat(3, axis=-1))


def test_a_program_under_an_images_name_is_never_run() -> None:
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    with pytest.raises(BadImageError, match=r"^a PostScript drawing$"):
        decoded(postscript, 8)
