"""Images of more than 8 bits: what their values are, and which of them are black and white. Needs no torch."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from ganctl.errors import DataError

BAND_PIXELS = 1 << 20
"""Pixels of which floats are made at once."""

SAMPLED = 1 << 16
"""Pixels of an image from which its darkest and brightest thousandth are estimated."""

SLIVER = 0.25
"""A set whose values spread over less than this share of its range loses two of eight bits, and is refused."""

Ends = tuple[float, float]
"""The values that are black and white."""

UINT16, WHOLE, FLOAT = "whole numbers of 16 bits", "whole numbers", "floats"
USUAL: dict[str, tuple[Ends, ...]] = {
    UINT16: ((0, 65535),),
    WHOLE: ((0, 255), (0, 65535)),
    FLOAT: ((0, 1), (-1, 1), (0, 255)),
}
"""By kind of values, what black and white usually are; the first range that holds them and is used counts."""

BITS_PER_SAMPLE, SAMPLE_FORMAT = 258, 339
UNSIGNED, SIGNED = 1, 2


class Values(NamedTuple):
    """The values of one image: their kind, the extremes, and where the darkest and brightest thousandth end."""

    kind: str
    low: float
    high: float
    dark: float
    bright: float

    def __str__(self) -> str:
        return f"{self.kind} from {told(self.low)} to {told(self.high)}"


def kind_of_values(image: Image.Image) -> str | None:
    """Return what an image's values are, by its header; None for 8 bits, which need no range."""
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return UINT16
    if image.mode == "F":
        return FLOAT
    if image.mode == "I" or (image.mode == "L" and _sample_format(image) == SIGNED):
        return WHOLE
    return None


def strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield an image in strips of at most `BAND_PIXELS`, each with the number of its first row."""
    height = max(1, BAND_PIXELS // max(1, image.width))
    for top in range(0, image.height, height):
        yield top, image.crop((0, top, image.width, min(top + height, image.height)))


def bands(image: Image.Image) -> Iterator[tuple[int, np.ndarray]]:
    """Yield rows of an image as float64 [rows, width], each with the number of its first row.

    Pillow reads signed bytes as unsigned, and unsigned 32 bits as signed, which is undone here.
    """
    sample = _sample_format(image)
    for top, strip in strips(image):
        rows = np.asarray(strip)
        if image.mode == "L" and sample == SIGNED:
            rows = rows.view(np.int8)
        elif image.mode == "I" and sample == UNSIGNED and _tag(image, BITS_PER_SAMPLE) == 32:
            rows = rows.view(np.uint32)
        yield top, rows.astype(np.float64)


def values_in(block: np.ndarray, kind: str) -> Values:
    """Return what the values of an array are; NaN where one is no finite number."""
    if not np.isfinite(block).all():
        return Values(kind, *[math.nan] * 4)
    sample = block.reshape(-1)[:: max(1, math.ceil(block.size / SAMPLED))]
    dark, bright = np.percentile(sample.astype(np.float64), [0.1, 99.9])
    return Values(kind, float(block.min()), float(block.max()), float(dark), float(bright))


def to_bytes(image: Image.Image, ends: Ends) -> tuple[Image.Image, int]:
    """Return an image of more than 8 bits as 8-bit grey, scaled from `ends`, and how many values are outside.

    It has alpha (mode LA) where a colour is transparent.
    """
    clear = image.info.get("transparency")
    grey, outside = Image.new("LA" if isinstance(clear, int) else "L", image.size), 0
    for top, rows in bands(image):
        pixels, beyond = scaled(rows, ends)
        outside += beyond
        strip = Image.fromarray(pixels)
        if isinstance(clear, int):
            strip.putalpha(Image.fromarray(np.where(rows == clear, np.uint8(0), np.uint8(255))))
        grey.paste(strip, (0, top))
    return grey, outside


def scaled(values: np.ndarray, ends: Ends) -> tuple[np.ndarray, int]:
    """Return float64 values as uint8, scaled from `ends`, and how many are outside."""
    low, high = ends
    outside = int(((values < low) | (values > high)).sum())
    return ((values - low) * (255 / (high - low))).clip(0, 255).round().astype(np.uint8), outside


class SetRange(NamedTuple):
    """Values of one kind over a set, and the range they were brought to."""

    ends: Ends
    values: Values

    def __str__(self) -> str:
        return f"{span(self.ends)} for {self.values}"


def decide(found: Iterable[Values], source: str) -> dict[str, SetRange]:
    """Return what is black and white in a set, for each kind of values in it.

    Raises `DataError` where type and values leave a doubt: no usual range holds them, or they use a sliver of it.
    """
    return {kind: _decided(values, source) for kind, values in by_kind(found).items()}


def by_kind(found: Iterable[Values]) -> dict[str, Values]:
    """Return the values of each kind in a set together, sorted by kind."""
    kinds: dict[str, list[Values]] = {}
    for values in found:
        kinds.setdefault(values.kind, []).append(values)
    return {kind: together(several) for kind, several in sorted(kinds.items())}


def together(several: list[Values]) -> Values:
    """Return the values of several images as those of one, in which the thousandths are the farthest apart."""
    return Values(
        several[0].kind,
        float(np.min([values.low for values in several])),  # NumPy's keep a NaN, Python's may not
        float(np.max([values.high for values in several])),
        float(np.min([values.dark for values in several])),
        float(np.max([values.bright for values in several])),
    )


def _decided(values: Values, source: str) -> SetRange:
    holding = [ends for ends in USUAL[values.kind] if ends[0] <= values.low and values.high <= ends[1]]
    for ends in holding:
        if values.low == values.high or values.bright - values.dark >= SLIVER * (ends[1] - ends[0]):
            return SetRange(ends, values)
    doubt = "which values are black and white?"
    if holding:
        doubt = f"{span(holding[0])} would leave little contrast;"
    advice = f"set data.range=[black,white], such as {suggestion(values)}"
    raise DataError(f"data.range: {doubt} {source} holds {values}; {advice}")


def suggestion(values: Values) -> str:
    """Return a sensible range for values in words: to a power of two, or near their outer thousandths, rounded.

    Never just the extremes, which one odd pixel moves.
    """
    low, high = values.dark, values.bright
    if low == high:
        low, high = values.low, values.high
    if values.kind != FLOAT and values.low >= 0 and high < 1 << 32 and low < high / 2:
        return span((0, (1 << max(1, math.ceil(math.log2(max(high, 1) + 1)))) - 1))
    if high == low:
        return span((low, low + 1))
    step = 10.0 ** math.floor(math.log10(high - low)) / 10
    return span((math.floor(low / step) * step, math.ceil(high / step) * step))


def span(ends: Ends) -> str:
    """Return a range as it is typed."""
    return f"[{told(ends[0])},{told(ends[1])}]"


def told(value: float) -> str:
    """Return a number as it is typed: integers without a point, others to six digits."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"


def _tag(image: Image.Image, number: int) -> int | None:
    value = getattr(image, "tag_v2", {}).get(number)
    value = value[0] if isinstance(value, tuple) and value else value
    return value if isinstance(value, int) else None


def _sample_format(image: Image.Image) -> int | None:
    """Return the TIFF tag that tells signed from unsigned; whole numbers without it are unsigned."""
    return (_tag(image, SAMPLE_FORMAT) or UNSIGNED) if image.format == "TIFF" else None
