"""Images over others, and their differences."""

import numpy as np

from ganctl.images.png import GAP, compared


def rows_of(sheet: np.ndarray, side: int) -> list[np.ndarray]:
    """Return the first image of each row of a sheet whose rows are named."""
    left = sheet.shape[1] - side - GAP
    tops = range(GAP, sheet.shape[0], side + GAP)
    return [sheet[top : top + side, left : left + side] for top in tops]


def test_the_third_row_has_the_differences() -> None:
    given, found = np.full((1, 16, 16, 1), 200, np.uint8), np.full((1, 16, 16, 1), 230, np.uint8)
    rows = rows_of(compared(given, found, ["a", "b", "c"]), 16)
    assert [int(np.median(row)) for row in rows] == [200, 230, 30]


def test_differences_of_images_with_alpha_are_seen() -> None:
    given, found = np.full((1, 16, 16, 4), 255, np.uint8), np.full((1, 16, 16, 4), 255, np.uint8)
    given[..., :3], found[..., :3] = 10, 190
    assert [int(np.median(row)) for row in rows_of(compared(given, found, ["a", "b", "c"]), 16)] == [10, 190, 180]
    found[..., 3] = 0  # white, whatever its colour
    assert int(np.median(rows_of(compared(given, found, ["a", "b", "c"]), 16)[2])) == 245
