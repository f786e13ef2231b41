"""Images as PNG files, alone or many as one."""

import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganctl.errors import one_line
from ganctl.runtime.disk import temporary

GAP = 2
"""Black pixels around each image."""

SQUARE = 8
"""Pixels a side of a square of the checkerboard behind transparent images."""

SQUARES = (255, 224)
"""Its white and its light grey."""

TITLE_HEIGHT = 22
"""Pixels of a line of text above an image."""

LONGEST_CAPTION = 20
"""Characters of a caption beside a row of images."""

SMALLEST_LETTERS = 10
"""Pixels of the smallest letters."""

LINE = 16
"""Pixels of a line of small letters, above a column of images or below an image."""

LEAST = 56
"""Pixels that an image has at least where a line of letters belongs to it."""


def grid(images: np.ndarray, columns: int | None = None, gap: int = GAP) -> np.ndarray:
    """Return images, uint8 [count, height, width, channels] side by side as one, uint8 [rows, columns, 1 or 3].

    In so many columns, or as square as can be, in reading order, with black gaps of so many pixels and blanks.
    Images with alpha lie over a checkerboard.
    """
    if images.shape[-1] == 4:
        images = over_checkerboard(images)
    count, height, width, channels = images.shape
    columns = columns or math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * (height + gap) + gap, columns * (width + gap) + gap, channels), np.uint8)
    for number, image in enumerate(images):
        top, left = (
            gap + step * (size + gap) for step, size in zip(divmod(number, columns), (height, width), strict=True)
        )
        sheet[top : top + height, left : left + width] = image
    return sheet


def over_checkerboard(images: np.ndarray) -> np.ndarray:
    """Return images with alpha, uint8 [count, height, width, 4], over a light checkerboard, uint8 [..., 3]."""
    rows, columns = np.indices(images.shape[1:3]) // SQUARE
    board = np.array(SQUARES, np.uint8)[(rows + columns) % 2][..., None].astype(np.float32)
    mixed: np.ndarray = board + (images[..., :3] - board) * (images[..., 3:] / np.float32(255))
    return mixed.round().astype(np.uint8)


def to_image(pixels: np.ndarray) -> Image.Image:
    """Return one image, uint8 [height, width, 1, 3 or 4], as an image of mode L, RGB or RGBA."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def encoded(pixels: np.ndarray) -> bytes:
    """Return one image, uint8 [height, width, 1, 3 or 4], as the bytes of a PNG file."""
    content = io.BytesIO()
    to_image(pixels).save(content, format="PNG")
    return content.getvalue()


def save(pixels: np.ndarray, path: Path) -> None:
    """Write one image, uint8 [height, width, 1, 3 or 4], as PNG; intact or not at all."""
    unfinished = temporary(path)
    unfinished.write_bytes(encoded(pixels))
    unfinished.replace(path)


def captioned(sheet: np.ndarray, captions: Sequence[str], headings: Sequence[str] = ()) -> np.ndarray:
    """Return a grid of images, uint8 [height, width, 1 or 3], with a caption at the left of each row of images.

    A caption that is longer than `LONGEST_CAPTION` is shortened. `headings` stand above the columns, if any.
    """
    return _headed(_beside(sheet, captions), headings, sheet.shape[1]) if headings else _beside(sheet, captions)


def _beside(sheet: np.ndarray, captions: Sequence[str]) -> np.ndarray:
    if not captions:
        return sheet
    pitch = (sheet.shape[0] - GAP) // len(captions)
    font = ImageFont.load_default(min(max(pitch // 2, SMALLEST_LETTERS), 24))
    lines = map(one_line, captions)
    texts = [text if len(text) <= LONGEST_CAPTION else f"{text[: LONGEST_CAPTION - 1]}…" for text in lines]
    width = math.ceil(max(font.getlength(text) for text in texts)) + 4 * GAP
    image = to_image(np.pad(sheet, ((0, 0), (width, 0), (0, 0))))
    draw = ImageDraw.Draw(image)
    for row, text in enumerate(texts):
        middle = GAP + row * pitch + (pitch - GAP) / 2
        draw.text((width - 2 * GAP, middle), text, font=font, fill="white", anchor="rm")
    return _pixels(image)


def compared(given: np.ndarray, found: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Return images, uint8 [count, height, width, channels], over others and their differences, each row named.

    The differences of images with alpha are those of the images over white.
    """
    differences = np.abs(_over_white(given) - _over_white(found)).round().astype(np.uint8)
    if given.shape[-1] == 4:
        differences = np.concatenate([differences, np.full_like(given[..., :1], 255)], -1)
    return captioned(grid(np.concatenate([given, found, differences]), len(given)), names)


def _over_white(images: np.ndarray) -> np.ndarray:
    if images.shape[-1] < 4:
        return images.astype(np.float32)
    alpha = images[..., 3:] / np.float32(255)
    white: np.ndarray = images[..., :3] * alpha + 255 * (1 - alpha)
    return white


def titled(sheet: np.ndarray, title: str) -> np.ndarray:
    """Return an image, uint8 [height, width, 1 or 3], with a line of text of `TITLE_HEIGHT` pixels above it."""
    image = to_image(np.pad(sheet, ((TITLE_HEIGHT, 0), (0, 0), (0, 0))))
    font = ImageFont.load_default(14)
    ImageDraw.Draw(image).text((2 * GAP, TITLE_HEIGHT / 2), one_line(title), font=font, fill="white", anchor="lm")
    return _pixels(image)


def enlarged(images: np.ndarray, factor: int) -> np.ndarray:
    """Return images, [count, height, width, channels], with each pixel as a square of `factor` a side."""
    return images.repeat(factor, 1).repeat(factor, 2)


def _headed(sheet: np.ndarray, headings: Sequence[str], width: int) -> np.ndarray:
    """Return a grid with headings above the columns of images, which take its last `width` pixels."""
    image = to_image(np.pad(sheet, ((LINE, 0), (0, 0), (0, 0))))
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(SMALLEST_LETTERS)
    pitch, left = (width - GAP) / len(headings), sheet.shape[1] - width + GAP / 2
    for column, text in enumerate(headings):
        draw.text((left + (column + 0.5) * pitch, LINE / 2), text, font=font, fill="white", anchor="mm")
    return _pixels(image)


def subtitled(images: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Return images, uint8 [count, height, width, 1 or 3], with a line of text below each, `LINE` pixels high."""
    return np.stack([_subtitled(image, text) for image, text in zip(images, texts, strict=True)])


def _subtitled(pixels: np.ndarray, text: str) -> np.ndarray:
    height, width, _ = pixels.shape
    image = to_image(np.pad(pixels, ((0, LINE), (0, 0), (0, 0))))
    font = ImageFont.load_default(SMALLEST_LETTERS)
    middle = (width / 2, height + LINE / 2)
    ImageDraw.Draw(image).text(middle, one_line(text), font=font, fill="white", anchor="mm")
    return _pixels(image)


def legible(images: np.ndarray) -> np.ndarray:
    """Return images, uint8 [count, height, width, 1, 3 or 4], repeated to whole multiples of their size.

    Both sides then have `LEAST` pixels or more, for a text beside each. Those with alpha lie over a checkerboard.
    """
    if images.shape[-1] == 4:
        images = over_checkerboard(images)
    return enlarged(images, math.ceil(LEAST / min(images.shape[1:3])))


def _pixels(image: Image.Image) -> np.ndarray:
    """Return an image of mode L or RGB as uint8 [height, width, 1 or 3]."""
    pixels = np.asarray(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels
