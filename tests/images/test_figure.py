"""Plots are pictures of one size and style, with whatever text, and need no more than matplotlib."""

import sys

import matplotlib
import numpy as np
import pytest

from ganctl.errors import ConfigError
from ganctl.images.figure import CLASS_COLOURS, HEIGHT, WIDTH, Dots, Key, Line, plot_dots, plot_lines, require
from ganctl.images.plot import FAKE_COLOUR, REAL_COLOUR

X = np.arange(1, 6, dtype=float)
LINES = [
    Line("real", X, 10.0**-X, REAL_COLOUR, (10.0 ** -(X + 0.3), 10.0 ** -(X - 0.3))),
    Line("fake", X, 2 * 10.0**-X, FAKE_COLOUR),
]


def drawn_in(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    """Return how many pixels have exactly this colour."""
    return int((picture == colour).all(2).sum())


def test_lines_are_drawn_in_their_colours_on_white() -> None:
    picture = plot_lines(LINES, "x", "y", title="both", note="a note", logarithmic=True)
    assert (picture.shape, picture.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    assert drawn_in(picture, (255, 255, 255)) > picture.size / 3 / 2
    for colour in (REAL_COLOUR, FAKE_COLOUR):
        assert drawn_in(picture, colour) > WIDTH / 4
    plain = [Line(line.name, line.x, line.y, line.colour) for line in LINES]
    assert not np.array_equal(plot_lines(plain, "x", "y", title="both", note="a note", logarithmic=True), picture)


def test_dots_and_crosses_are_drawn_in_the_colour_of_each() -> None:
    colours = np.array([CLASS_COLOURS[0], CLASS_COLOURS[3]], np.uint8)
    places = np.array([[0.0, 0.0], [1.0, 2.0]])
    first, second = (plot_dots([Dots(places, colours, marker)], [], "x", "y") for marker in ("dot", "cross"))
    assert first.shape == (HEIGHT, WIDTH, 3)
    assert not np.array_equal(first, second)
    swapped = plot_dots([Dots(places, colours[::-1], "dot")], [], "x", "y")
    assert not np.array_equal(first, swapped)


def test_any_name_is_shown_as_it_is() -> None:
    names = ["_hidden", "a$b$c", "$\\frac{", "x" * 100, "", "%d {} <b>", "数字"]
    lines = [Line(name, X, X, REAL_COLOUR) for name in names]
    assert plot_lines(lines, "x", names[2], note=names[1], title=names[2]).shape == (HEIGHT, WIDTH, 3)
    dots = [Dots(np.zeros((1, 2)), np.zeros((1, 3), np.uint8), "dot")]
    keys = [Key(name, REAL_COLOUR, "square") for name in names]
    few, all_of_them = (plot_dots(dots, shown, names[6], "y", title=names[0]) for shown in (keys[:1], keys))
    assert drawn_in(all_of_them, REAL_COLOUR) == pytest.approx(7 * drawn_in(few, REAL_COLOUR), rel=0.2)


def test_settings_of_the_user_change_nothing_and_are_left_alone() -> None:
    usual = plot_lines(LINES, "x", "y")
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30}):
        assert np.array_equal(plot_lines(LINES, "x", "y"), usual)
        assert matplotlib.rcParams["font.size"] == 30


def test_without_matplotlib_one_line_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    require("take a table")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"missing; pip install 'ganctl\[plots\]', or take a table"):
        require("take a table")


def test_colours_of_classes_differ() -> None:
    assert len(set(CLASS_COLOURS)) == 10
