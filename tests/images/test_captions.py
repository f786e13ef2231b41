"""Captions beside the rows of a grid of images."""

import numpy as np
import pytest

from ganctl.images.png import GAP, LEAST, LINE, LONGEST_CAPTION, captioned, grid, legible, subtitled


def rows(count: int, side: int = 32, channels: int = 1) -> np.ndarray:
    return grid(np.full((count * 2, side, side, channels), 90, np.uint8), 2)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 32, 256])
def test_a_caption_stands_beside_its_row_and_the_images_are_kept(side: int, channels: int) -> None:
    sheet = rows(3, side, channels)
    found = captioned(sheet, ["i", "i", ""])
    assert found.dtype == np.uint8
    assert found.shape[0] == sheet.shape[0]
    assert found.shape[2] == channels
    width = found.shape[1] - sheet.shape[1]
    np.testing.assert_array_equal(found[:, width:], sheet)
    margin = found[:, :width].max(-1)
    tops = [GAP + row * (side + GAP) for row in range(3)]
    assert [bool(margin[top : top + side].any()) for top in tops] == [True, True, False]
    middles = [np.flatnonzero(margin[top : top + side].any(1)).mean() for top in tops[:2]]
    assert middles[0] == middles[1]
    assert abs(middles[0] - side / 2) < max(3, side / 8)


def test_a_long_caption_is_shortened() -> None:
    sheet = rows(1)
    longest = captioned(sheet, ["x" * LONGEST_CAPTION]).shape[1]
    assert captioned(sheet, ["x" * 1000]).shape[1] <= longest + 12
    assert captioned(sheet, [""]).shape[1] == sheet.shape[1] + 4 * GAP


def test_breaks_and_scripts_of_any_kind_are_drawn_in_one_row() -> None:
    sheet = rows(2)
    found = captioned(sheet, ["two\nlines\x00\t", "猫 é \u202e"])
    assert found.shape[0] == sheet.shape[0]


@pytest.mark.parametrize("captions", [[], ["a", "b"]])
def test_headings_stand_above_their_columns(captions: list[str]) -> None:
    sheet = rows(2, 56)
    beside = captioned(sheet, captions)
    found = captioned(sheet, captions, ["", "+1"])
    np.testing.assert_array_equal(found[LINE:], beside)
    written = np.flatnonzero(found[:LINE].max((0, 2)))
    column = found.shape[1] - sheet.shape[1] + 2 * GAP + 56
    assert column < written.min()
    assert abs((written.min() + written.max()) / 2 - (column + 28)) <= 2


@pytest.mark.parametrize("channels", [1, 3])
def test_a_subtitle_stands_below_its_image(channels: int) -> None:
    images = np.full((2, 20, 60, channels), 90, np.uint8)
    found = subtitled(images, ["1.25", ""])
    assert found.shape == (2, 20 + LINE, 60, channels)
    np.testing.assert_array_equal(found[:, :20], images)
    assert found[0, 20:].any()
    assert not found[1, 20:].any()


@pytest.mark.parametrize(("side", "times"), [(8, 7), (28, 2), (LEAST, 1), (200, 1)])
def test_small_images_are_repeated_until_letters_fit(side: int, times: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, side, side + 1, 3), np.uint8)
    found = legible(images)
    assert found.shape == (2, side * times, (side + 1) * times, 3)
    np.testing.assert_array_equal(found[:, ::times, times - 1 :: times], images)


def test_images_with_alpha_become_legible_over_a_checkerboard() -> None:
    assert legible(np.zeros((1, 8, 8, 4), np.uint8)).shape == (1, LEAST, LEAST, 3)
