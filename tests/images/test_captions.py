"""Captions beside the rows of a grid of images."""

import numpy as np
import pytest

from ganctl.images.png import GAP, LONGEST_CAPTION, captioned, grid


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
