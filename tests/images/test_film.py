"""Samples in frames: as one image, and one frame after the other."""

import numpy as np
import pytest

from ganctl.errors import ConfigError
from ganctl.images.film import Film
from ganctl.images.png import TITLE_HEIGHT, captioned, enlarged, grid, over_checkerboard


def samples(frames: int, count: int, channels: int = 3) -> np.ndarray:
    """Return images of 4×6 pixels."""
    return np.random.default_rng(0).integers(0, 256, (frames, count, 4, 6, channels), np.uint8)


def test_frames_follow_from_left_to_right_and_named_ones_from_top_to_bottom() -> None:
    film = samples(3, 2)
    across = grid(np.concatenate([film[:, 0], film[:, 1]]), 3)
    down = grid(np.concatenate([*film]), 2)
    assert np.array_equal(Film(film).strip(None), across)
    assert np.array_equal(Film(film, rows=["a", "b"]).strip(None), captioned(across, ["a", "b"]))
    assert np.array_equal(Film(film, titles=["1", "2", "3"]).strip(1), captioned(down, ["1", "2", "3"]))
    assert np.array_equal(Film(film[:, :1]).strip(5), grid(enlarged(film[:, 0], 5), 3))


@pytest.mark.parametrize(
    ("count", "columns", "scale", "size"),
    [
        (1, None, None, (172, 258)),  # 43 times 4×6
        (1, None, 2, (8, 12)),
        (5, None, None, (2 + 2 * 62, 2 + 3 * 92)),  # 15 times, in 3 columns
        (4, 4, None, (2 + 46, 2 + 4 * 68)),  # 11 times
        (50, None, 1, (2 + 7 * 6, 2 + 8 * 8)),
    ],
)
def test_frames_are_enlarged_until_they_can_be_seen(
    count: int, columns: int | None, scale: int | None, size: tuple[int, int]
) -> None:
    for titles in ([], ["step 1", "step 2"]):
        frames = list(Film(samples(2, count), columns, titles=titles).frames(scale))
        height = size[0] + TITLE_HEIGHT * bool(titles)
        assert [frame.shape for frame in frames] == [(height, size[1], 3)] * 2


def test_transparent_samples_lie_over_a_checkerboard() -> None:
    film = samples(2, 1, 4)
    frames = list(Film(film).frames(3))
    assert np.array_equal(frames[1], over_checkerboard(enlarged(film[1], 3))[0])


def test_frames_that_are_too_large_are_refused_before_they_are_drawn() -> None:
    with pytest.raises(ConfigError, match=r"^scale: frames of 54,814×36,380 pixels are too large; at most 8,192"):
        next(Film(np.zeros((1, 20_000, 4, 6, 1), np.uint8)).frames(64))
