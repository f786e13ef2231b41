"""Animations, read back by Pillow and PyAV: frames, times and pixels."""

import io
import sys
from fractions import Fraction

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from ganctl.errors import ConfigError
from ganctl.images.animation import LARGEST, animated, require_encoder, require_size
from ganctl.images.png import TITLE_HEIGHT, enlarged, grid, titled


def frames(count: int = 5, height: int = 48, width: int = 64, channels: int = 3) -> list[np.ndarray]:
    """Return a bright square that moves over a dark slope."""
    slope = np.linspace(0, 80, width).astype(np.uint8)[None, :, None]
    film = np.broadcast_to(slope, (count, height, width, channels)).copy()
    for number, frame in enumerate(film):
        frame[8:24, number * 8 : number * 8 + 16] = 230
    return list(film)


def read(content: bytes) -> tuple[list[np.ndarray], list[int]]:
    """Return the frames of a GIF or WebP file, in three channels, and how many milliseconds each is shown."""
    with Image.open(io.BytesIO(content)) as film:
        assert film.info["loop"] == 0
        each = [
            (np.asarray(frame.convert("RGB")), frame.info["duration"]) for frame in ImageSequence.Iterator(film)
        ]
    return [frame for frame, _ in each], [shown for _, shown in each]


def decode(content: bytes) -> tuple[list[np.ndarray], Fraction | None]:
    """Return the frames of an MP4 file, and how many a second are shown."""
    with av.open(io.BytesIO(content)) as film:
        (stream,) = film.streams.video
        assert stream.codec_context.pix_fmt == "yuv420p"
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)], stream.average_rate


def distance(found: np.ndarray, shown: np.ndarray) -> float:
    return float(np.abs(found.astype(float) - shown).mean())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("ending", "fps", "shown"),
    [("gif", 20, 50), ("gif", 30, 30), ("gif", 60, 20), ("gif", 0.5, 2000), ("webp", 30, 33), ("webp", 60, 17)],
)
def test_gif_and_webp_show_each_frame_as_long_as_they_can(
    ending: str, fps: float, shown: int, channels: int
) -> None:
    film = frames(channels=channels)
    found, times = read(animated(film, fps, ending))
    assert times == [shown] * 5
    for frame, drawn in zip(found, film, strict=True):
        assert distance(frame, drawn) < 3  # of 255: a palette of 256 colours, or lossy WebP


def test_grey_frames_of_a_gif_are_kept_bit_for_bit() -> None:
    film = frames(channels=1)
    found, _ = read(animated(film, 20, "gif"))
    assert all(np.array_equal(frame[..., :1], drawn) for frame, drawn in zip(found, film, strict=True))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(48, 64), (47, 63)])
@pytest.mark.parametrize(("fps", "rate"), [(20, 20), (0.5, Fraction(1, 2)), (29.97, Fraction(2997, 100))])
def test_mp4_has_every_frame_and_even_sides(
    channels: int, height: int, width: int, fps: float, rate: Fraction
) -> None:
    film = frames(7, height, width, channels)
    found, rate_found = decode(animated(film, fps, "mp4"))
    assert (len(found), rate_found) == (7, rate)
    assert found[0].shape == (48, 64, 3)
    for frame, drawn in zip(found, film, strict=True):
        assert distance(frame[:height, :width], drawn) < 3  # of 255: lossy, and half the colours' resolution
    assert distance(found[0][height - 1], found[0][-1]) < 3


@pytest.mark.parametrize("ending", ["gif", "webp", "mp4"])
def test_one_frame_is_a_film_too(ending: str) -> None:
    content = animated(frames(1), 20, ending)
    if ending == "mp4":
        assert len(decode(content)[0]) == 1
    else:
        with Image.open(io.BytesIO(content)) as film:
            assert film.n_frames == 1


def test_frames_that_no_player_shows_are_refused() -> None:
    require_size(LARGEST, LARGEST)
    with pytest.raises(ConfigError, match=r"^scale: frames of 8,193×1 pixels are too large; at most 8,192 a side"):
        require_size(1, LARGEST + 1)


def test_without_pyav_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    require_encoder("mp4")
    monkeypatch.setitem(sys.modules, "av", None)
    require_encoder("gif")
    with pytest.raises(ConfigError, match=r"^out: writing \.mp4 needs PyAV .*pip install 'ganctl\[video\]'"):
        require_encoder("mp4")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_title_stands_above_an_image_and_changes_no_size(channels: int) -> None:
    image = frames(1, channels=channels)[0]
    for text in ("step 5", "step 1,000,000 and a long remark\n"):
        found = titled(image, text)
        assert found.shape == (48 + TITLE_HEIGHT, 64, channels)
        assert np.array_equal(found[TITLE_HEIGHT:], image)
        assert found[:TITLE_HEIGHT].max() > 200


def test_pixels_become_squares_and_gaps_may_be_left_out() -> None:
    images = np.arange(12, dtype=np.uint8).reshape(2, 2, 3, 1)
    found = enlarged(images, 3)
    assert found.shape == (2, 6, 9, 1)
    assert all(np.array_equal(found[:, row::3, column::3], images) for row in range(3) for column in range(3))
    assert np.array_equal(grid(images, 1, 0), images.reshape(4, 3, 1))
