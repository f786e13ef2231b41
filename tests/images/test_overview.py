"""Thumbnails keep proportions, and lie in their cells within frames."""

import numpy as np
import pytest
import torch

from ganctl.images.overview import CELL, FRAME, HEAD, overview, thumbnails

INSIDE = CELL - 2 * FRAME


@pytest.mark.parametrize(
    ("size", "expected"),
    [((8, 8), (28, 28)), ((64, 64), (28, 28)), ((64, 32), (28, 14)), ((30, 90), (9, 28)), ((1, 100), (1, 28))],
)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_thumbnails_fit_into_a_cell_and_keep_colour(size, expected, channels) -> None:
    colour = torch.tensor([200, 100, 50, 255], dtype=torch.uint8)[:channels]
    found = thumbnails(colour.expand(2, *size, channels))
    assert (found.shape, found.dtype) == ((2, *expected, 3), np.uint8)
    assert (found == (np.full(3, 200) if channels == 1 else colour[:3].numpy())).all()


def test_what_is_transparent_is_white() -> None:
    assert thumbnails(torch.zeros(1, 8, 8, 4, dtype=torch.uint8)).min() == 255


def test_images_lie_in_their_cells_within_frames() -> None:
    images = np.stack([np.full((INSIDE, 14, 3), value, np.uint8) for value in (10, 20)])
    frames = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    sheet = overview(images, frames, np.array([[0, 2, 1], [2, 0, 0]]), 3)
    assert sheet.shape == (HEAD + 3 * CELL, 3 * CELL, 3)
    for row, column, number in ((0, 2, 1), (2, 0, 0)):
        top, left = HEAD + row * CELL, column * CELL
        cell = sheet[top : top + CELL, left : left + CELL]
        assert (cell == 10 * (number + 1)).all(2).sum() == INSIDE * 14
        assert (cell == frames[number]).all(2).sum() == CELL * 18 - INSIDE * 14
    assert (sheet[HEAD + CELL : HEAD + 2 * CELL] == 255).all()
