"""Plots of sequences."""

import numpy as np

from ganctl.images.lines import WIDEST, lines


def orange(image: np.ndarray) -> np.ndarray:
    found: np.ndarray = image[..., 0].astype(int) - image[..., 1] > 50
    return found


def grey(image: np.ndarray) -> np.ndarray:
    found: np.ndarray = (image.min(2) < 240) & (image.max(2) == image.min(2))
    return found


def test_each_sequence_has_a_plot_with_a_real_one_behind() -> None:
    fake, real = np.zeros((4, 10, 1)), np.ones((3, 10, 1))
    real[:, 0] = -1
    image = lines(real, fake)
    height, pitch = WIDEST * 5 // 8, WIDEST + 2
    assert image.shape == (2 * (height + 2) + 2, 2 * pitch + 2, 3)
    for place in range(4):
        row, column = divmod(place, 2)
        plot = image[2 + row * (height + 2) :, 2 + column * pitch :][:height, :WIDEST]
        rows = np.nonzero(orange(plot).any(1))[0]
        assert abs(rows.mean() - height / 2) < 2, "zero is in the middle of −1 to 1"
        assert grey(plot[:15, 30:]).any() == (place < 3)


def test_what_is_not_finite_and_what_lies_outside_breaks_nothing() -> None:
    fake = np.array([[np.nan, np.inf, -np.inf, 0.0, 1e30, 1.0]])[..., None]
    assert lines(fake[:0], fake).shape == lines(np.zeros_like(fake), fake).shape
    assert lines(np.zeros((1, 6, 1)), np.full((1, 6, 1), np.nan)).any()


def test_many_are_narrow_and_lie_in_the_columns_asked_for() -> None:
    image = lines(np.zeros((0, 5, 2)), np.random.default_rng(0).standard_normal((120, 5, 2)), 60)
    assert image.shape == (2 * (20 + 2) + 2, 60 * (32 + 2) + 2, 3)
