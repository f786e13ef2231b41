"""Images one after the other as an animation: GIF, WebP or MP4."""

import io
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain

import numpy as np

from ganctl.errors import ConfigError
from ganctl.images.png import to_image

LARGEST = 8192
"""Pixels of a side of a frame; more than players show, and less than any of the formats allows."""

WEBP_QUALITY = 90
"""Of 100; nearest-neighbour edges stay sharp."""

MP4_QUALITY = 18
"""x264's constant rate factor: 0 is lossless, 23 its default, 18 hard to tell from the original."""


def require_encoder(ending: str) -> None:
    """Raise `ConfigError` if files of an ending such as "mp4" cannot be written by what is installed."""
    if ending == "mp4":
        try:
            import av  # noqa: F401
        except ImportError as error:
            raise ConfigError(
                f"out: writing .mp4 needs PyAV ({error}); pip install 'ganctl[video]', or take .gif or .webp"
            ) from error


def require_size(height: int, width: int) -> None:
    """Raise `ConfigError` for frames of so many pixels that are too large."""
    if max(height, width) > LARGEST:
        raise ConfigError(
            f"scale: frames of {width:,}×{height:,} pixels are too large; at most {LARGEST:,} a side, so take a "
            "smaller scale or fewer images"
        )


def animated(frames: Iterable[np.ndarray], fps: float, ending: str) -> bytes:
    """Return frames of one size, uint8 [height, width, 1 or 3], as a file with an ending of `ENCODERS`.

    `require_size` must allow the size. `fps` frames are shown a second. GIF and WebP repeat for ever; frames in a
    row that look equal become one that is shown as long. GIF counts hundredths of a second, two at least, and has
    256 colours a frame; WebP counts thousandths.
    """
    return ENCODERS[ending](iter(frames), fps)


def _gif(frames: Iterator[np.ndarray], fps: float) -> bytes:
    return _by_pillow(frames, "GIF", duration=max(2, round(100 / fps)) * 10)


def _webp(frames: Iterator[np.ndarray], fps: float) -> bytes:
    return _by_pillow(frames, "WEBP", duration=round(1000 / fps), quality=WEBP_QUALITY)


def _by_pillow(frames: Iterator[np.ndarray], kind: str, **options: int) -> bytes:
    first, rest = to_image(next(frames)), map(to_image, frames)
    content = io.BytesIO()
    first.save(content, format=kind, save_all=True, append_images=rest, loop=0, **options)
    return content.getvalue()


def _mp4(frames: Iterator[np.ndarray], fps: float) -> bytes:
    """Return H.264 in yuv420p, which every browser plays; it needs even sides, so odd ones grow by a pixel."""
    import av

    even = (_with_even_sides(frame) for frame in frames)
    first = next(even)
    content = io.BytesIO()
    with av.open(content, "w", format="mp4") as container:
        stream = container.add_stream("libx264", Fraction(fps).limit_denominator(1000))
        stream.options = {"crf": str(MP4_QUALITY)}
        stream.pix_fmt = "yuv420p"
        stream.height, stream.width = first.shape[:2]
        for frame in chain([first], even):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return content.getvalue()


def _with_even_sides(frame: np.ndarray) -> np.ndarray:
    """Return a frame in three channels, an odd side longer by its last line."""
    height, width, channels = frame.shape
    padded = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
    return np.ascontiguousarray(padded.repeat(3 // channels, 2))


ENCODERS: dict[str, Callable[[Iterator[np.ndarray], float], bytes]] = {"gif": _gif, "mp4": _mp4, "webp": _webp}
"""By the ending of the file."""
