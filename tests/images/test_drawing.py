from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ganctl.images.plot import (
    BINS,
    BOTTOM,
    FAKE_COLOUR,
    LEFT,
    PLOT_SIDE,
    REAL_COLOUR,
    RIGHT,
    TOP,
    histogram,
    plot,
    scatter,
)
from ganctl.images.png import GAP, SQUARE, SQUARES, grid, save, to_image


@pytest.fixture
def legend(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are drawn, instead of their pixels."""
    texts: list[str] = []
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda draw, place, text, **options: texts.append(text))
    return texts


def where(plot: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows and columns, [count, 2], of a colour."""
    return np.argwhere((plot == colour).all(-1))


def middle(plot: np.ndarray, colour: tuple[int, int, int]) -> list[float]:
    places = where(plot, colour)
    return ((places.min(0) + places.max(0)) / 2).tolist()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_is_in_reading_order_with_black_gaps_and_blanks(channels):
    tiles = np.stack([np.full((2, 3, channels), 50 * number, np.uint8) for number in range(1, 6)])
    sheet = grid(tiles)
    assert sheet.shape == (2 * (2 + GAP) + GAP, 3 * (3 + GAP) + GAP, channels)
    expected = np.zeros_like(sheet)
    for number in range(5):
        top, left = GAP + number // 3 * (2 + GAP), GAP + number % 3 * (3 + GAP)
        expected[top : top + 2, left : left + 3] = 50 * (number + 1)
    np.testing.assert_array_equal(sheet, expected)


@pytest.mark.parametrize(
    ("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (3, 2, 2), (6, 2, 3), (7, 3, 3), (64, 8, 8)]
)
def test_a_grid_is_as_square_as_can_be(count, rows, columns):
    sheet = grid(np.full((count, 4, 4, 3), 9, np.uint8))
    assert sheet.shape == (rows * (4 + GAP) + GAP, columns * (4 + GAP) + GAP, 3)
    assert (sheet == 9).sum() == count * 4 * 4 * 3


def test_images_keep_their_orientation_in_a_grid():
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    np.testing.assert_array_equal(grid(pixels)[GAP:-GAP, GAP:-GAP], pixels[0])


def test_images_with_alpha_lie_over_a_checkerboard():
    tile = np.zeros((SQUARE + 1, SQUARE + 1, 4), np.uint8)
    tile[1] = (255, 0, 0, 255)
    tile[2] = (255, 0, 100, 51)  # a fifth
    sheet = grid(np.stack([tile, tile]))
    assert sheet.shape == (SQUARE + 1 + 2 * GAP, 2 * (SQUARE + 1) + 3 * GAP, 3)
    white, grey = SQUARES
    for left in (GAP, 2 * GAP + SQUARE + 1):
        shown = sheet[GAP:-GAP, left : left + SQUARE + 1]
        assert (shown[0, :SQUARE] == white).all()
        assert (shown[[0, SQUARE], [SQUARE, 0]] == grey).all()
        assert (shown[SQUARE, SQUARE] == white).all()
        assert (shown[1] == (255, 0, 0)).all()
        assert (shown[2, :SQUARE] == (255, 204, 224)).all()
        assert (shown[2, SQUARE] == (230, 179, 199)).all()
    assert (sheet[:GAP] == 0).all()


def test_a_plot_has_x_to_the_right_and_y_upwards(legend):
    square = np.array([[-1.0, -1], [1, -1], [-1, 1], [1, 1]])
    plot = scatter(square, np.array([[1.0, 0.6]]))
    assert (plot.shape, plot.dtype) == ((PLOT_SIDE, PLOT_SIDE, 3), np.uint8)
    half, unit = PLOT_SIDE / 2, PLOT_SIDE / 2 / 1.25
    row, column = middle(plot, FAKE_COLOUR)
    assert abs(row - (half - 0.6 * unit)) <= 1
    assert abs(column - (half + unit)) <= 1
    corners = where(plot, REAL_COLOUR)
    assert np.abs(corners.min(0) - (half - unit)).max() <= 3  # the radius of a dot, and a pixel
    assert np.abs(corners.max(0) - (half + unit)).max() <= 3


def test_the_frame_keeps_the_real_points_proportions(legend):
    plot = scatter(np.array([[0.0, 5.0], [10.0, 6.0]]), np.array([[5.0, 5.5]]))
    assert np.abs(np.subtract(middle(plot, FAKE_COLOUR), PLOT_SIDE / 2)).max() <= 1
    rows, columns = np.ptp(where(plot, REAL_COLOUR), axis=0)
    assert abs(columns - PLOT_SIDE / 1.25) <= 6
    assert abs(rows - PLOT_SIDE / 12.5) <= 6


def test_fakes_are_drawn_over_real_points(legend):
    points = np.array([[0.0, 0.0], [1.0, 1.0]])
    plot = scatter(points, points)
    assert len(where(plot, FAKE_COLOUR)) > 0
    assert len(where(plot, REAL_COLOUR)) == 0


def test_fakes_outside_the_frame_are_counted_and_not_drawn(legend):
    real = np.array([[-1.0, -1.0], [1.0, 1.0]])
    fake = np.array([[0.0, 0], [1.25, 0], [1.26, 0], [0, -9], [np.nan, 0], [0, np.inf]])
    inside = scatter(real, fake[:2])
    np.testing.assert_array_equal(scatter(real, fake), inside)
    assert legend == ["real (2)", "fake (2)", "real (2)", "fake (6, 4 outside)"]


def test_real_points_alone_are_drawn(legend):
    plot = scatter(np.array([[-1.0, 0.0], [1.0, 0.0]]), np.empty((0, 2)))
    assert len(where(plot, REAL_COLOUR)) > 0
    assert legend == ["real (2)", "fake (0)"]


def test_without_real_points_the_fakes_give_the_frame(legend):
    plot = scatter(np.empty((0, 2)), np.array([[100.0, 200.0], [102.0, 202.0]]))
    places = where(plot, FAKE_COLOUR)
    assert np.abs(places.min(0) - PLOT_SIDE * 0.1).max() <= 3
    assert np.abs(places.max(0) - PLOT_SIDE * 0.9).max() <= 3
    assert legend == ["fake (2)"]


def test_a_single_point_is_drawn_in_the_middle(legend):
    plot = scatter(np.array([[3.0, 4.0]]), np.array([[3.0, 4.0]]))
    assert np.abs(np.subtract(middle(plot, FAKE_COLOUR), PLOT_SIDE / 2)).max() <= 1


def test_points_of_other_dimensions_are_drawn_by_their_first_two(legend):
    line = scatter(np.array([[-1.0], [1.0]]), np.array([[0.5]]))
    np.testing.assert_array_equal(line, scatter(np.array([[-1.0, 0], [1.0, 0]]), np.array([[0.5, 0]])))
    solid = scatter(np.array([[-1.0, 0, 8], [1.0, 0, 9]]), np.array([[0.5, 0, -70]]))
    np.testing.assert_array_equal(line, solid)


def test_the_legend_is_written_in_the_corner():
    plot = scatter(np.empty((0, 2)), np.array([[-1.0, -1.0], [1.0, 1.0]]))
    assert (plot[:40, :100] != 255).any()


def tops(image: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The heights of a histogram's outline, a bin each, as shares of the y axis; NaN where there is none."""
    width = (RIGHT - LEFT) / BINS
    columns = [int(LEFT + (number + 0.5) * width) for number in range(BINS)]
    strips = [np.flatnonzero((image[:, column] == colour).all(-1)) for column in columns]
    return np.array([(BOTTOM - strip[0]) / (BOTTOM - TOP) if len(strip) else np.nan for strip in strips])


def line(*numbers: float) -> np.ndarray:
    return np.array(numbers, dtype=np.float32)[:, None]


NOTHING = np.empty((0, 1), np.float32)


def test_points_on_a_line_become_a_histogram_and_others_a_scatter_plot():
    numbers, pairs = line(-1, 0, 1), np.array([[-1.0, 0], [1, 0]])
    np.testing.assert_array_equal(plot(numbers, numbers), histogram(numbers, numbers))
    np.testing.assert_array_equal(plot(NOTHING, numbers), histogram(NOTHING, numbers))
    np.testing.assert_array_equal(plot(pairs, pairs), scatter(pairs, pairs))


def test_bars_stand_over_their_numbers_as_high_as_their_share(legend):
    numbers = np.repeat(line(-2, 0, 1, 2), [1, 4, 2, 1], axis=0)
    image = histogram(numbers, NOTHING)
    assert (image.shape, image.dtype) == ((PLOT_SIDE, PLOT_SIDE, 3), np.uint8)
    heights = tops(image, REAL_COLOUR)
    bins = [int((number + 2.5) / 5 * BINS) for number in (-2, 0, 1, 2)]
    np.testing.assert_allclose(heights[bins] * 1.05, [0.25, 1, 0.5, 0.25], atol=0.02)
    assert np.isnan(np.delete(heights, bins)).all()


def test_fakes_and_real_numbers_are_densities_over_the_same_axes(legend):
    real = np.linspace(-1, 1, 6400, dtype=np.float32)[:, None]
    image = histogram(real, real[::100] / 2)  # a hundredth as many, on half the width: twice as dense
    at = np.abs((np.arange(BINS) + 0.5) / BINS * 2.5 - 1.25)
    fake, grey = tops(image, FAKE_COLOUR)[at < 0.45], tops(image, REAL_COLOUR)[(at > 0.55) & (at < 0.95)]
    np.testing.assert_allclose(np.nanmean(fake) / np.nanmean(grey), 2, atol=0.1)
    assert {"0.5", "1"} <= set(legend)


def test_a_histogram_has_ticks_at_round_numbers_and_a_legend_with_counts(legend):
    histogram(line(0, 10), line(5, 5, 99))
    assert legend[-2:] == ["real (2)", "fake (3, 1 outside)"]
    assert {"density", "0", "2", "4", "6", "8", "10"} <= set(legend)
    assert not {"-2", "5", "12"} & set(legend)


def test_fakes_outside_a_histogram_are_counted_and_not_drawn(legend):
    real = line(-1, 1)
    image = histogram(real, line(50, -7, np.nan, np.inf, -np.inf))
    np.testing.assert_array_equal(image, histogram(real, NOTHING))
    assert "fake (5, 5 outside)" in legend


def test_a_collapsed_generator_leaves_the_real_numbers_visible(legend):
    real = np.random.default_rng(0).standard_normal((2000, 1))
    image = histogram(real, np.zeros((2000, 1)))
    grey = np.nanmax(tops(image, REAL_COLOUR))
    assert 0.3 < grey < 0.35
    assert len(where(image, FAKE_COLOUR)) > 0
    assert where(image, FAKE_COLOUR)[:, 0].min() >= TOP - 2


@pytest.mark.parametrize("numbers", [line(3.5), line(0), line(1e6, 1e6), line(-1e-6, 1e-6), line(np.nan), NOTHING])
def test_whatever_a_generator_draws_becomes_an_image(numbers, legend):
    image = histogram(NOTHING, numbers)
    assert (image != 255).any()
    outside = f", {np.isnan(numbers).sum()} outside" if np.isnan(numbers).any() else ""
    assert legend[-1] == f"fake ({len(numbers)}{outside})"
    assert (len(where(image, FAKE_COLOUR)) > 0) == bool(np.isfinite(numbers).any())


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
def test_a_saved_image_reads_back_and_leaves_nothing_else(tmp_path, channels, mode):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    path = tmp_path / "a.png"
    path.write_bytes(b"older")
    save(pixels, path)
    with Image.open(path) as image:
        assert (image.format, image.mode, image.size) == ("PNG", mode, (7, 5))
        np.testing.assert_array_equal(np.asarray(image).reshape(5, 7, channels), pixels)
    assert list(tmp_path.iterdir()) == [path]


def test_an_image_that_cannot_be_written_whole_leaves_the_older_one(tmp_path, monkeypatch):
    def run_out_of_space(path, content):
        with path.open("wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.png"
    save(np.zeros((2, 2, 1), np.uint8), path)
    older = path.read_bytes()
    monkeypatch.setattr(Path, "write_bytes", run_out_of_space)
    with pytest.raises(OSError, match="No space left"):
        save(np.ones((2, 2, 1), np.uint8), path)
    assert path.read_bytes() == older


def test_grey_and_colour_become_images_of_their_mode():
    grey, colour = to_image(np.full((2, 3, 1), 7, np.uint8)), to_image(np.full((2, 3, 3), 7, np.uint8))
    assert (grey.mode, grey.size, colour.mode) == ("L", (3, 2), "RGB")
    assert to_image(np.array([[[1, 2, 3]]], np.uint8)).getpixel((0, 0)) == (1, 2, 3)
