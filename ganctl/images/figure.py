"""Plots with axes and a legend, drawn by matplotlib, which is an extra and so is imported only to draw.

All have one style: white, readable at 800 pixels, whatever the user's own settings are.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ganctl.errors import ConfigError

WIDTH, HEIGHT = 800, 560
"""Pixels of a plot."""

DOTS_PER_INCH = 100
TEXT, GRID = "#404040", "#e6e6e6"
Colour = tuple[int, int, int]
INK: Colour = (64, 64, 64)
CLASS_COLOURS: tuple[Colour, ...] = (
    *((63, 144, 218), (255, 169, 14), (189, 31, 1), (131, 45, 182), (169, 107, 89)),
    *((231, 99, 0), (148, 164, 162), (185, 172, 112), (113, 117, 129), (146, 218, 221)),
)
"""Ten that are told apart also without seeing all colours (Petroff 2021, "Accessible color sequences")."""

LONGEST_NAME = 24
"""Characters of a name in a legend."""

Marker = Literal["dot", "cross", "square"]
MARKERS: dict[Marker, dict[str, Any]] = {
    "dot": {"marker": "o", "s": 14, "linewidths": 0, "alpha": 0.6},
    "cross": {"marker": "x", "s": 20, "linewidths": 1.1, "alpha": 0.9},
    "square": {"marker": "s", "s": 40, "linewidths": 0},
}


@dataclass(frozen=True)
class Line:
    """A curve y over x, both [n], with a name; a band, its lower and upper edge, lies behind it."""

    name: str
    x: np.ndarray
    y: np.ndarray
    colour: Colour
    band: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class Dots:
    """Points [n, 2], and the colour of each, uint8 [n, 3]."""

    places: np.ndarray
    colours: np.ndarray
    marker: Marker


@dataclass(frozen=True)
class Key:
    """A line of a legend: a marker of a colour, and what it stands for."""

    name: str
    colour: Colour
    marker: Marker


def require(otherwise: str) -> None:
    """Raise `ConfigError` where matplotlib is not installed; `otherwise` is what can be done without it."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"out: plots are drawn by matplotlib, which is missing; pip install 'ganctl[plots]', or {otherwise}"
        ) from error


def plot_lines(
    lines: Sequence[Line], x: str, y: str, *, title: str = "", note: str = "", logarithmic: bool = False
) -> np.ndarray:
    """Return curves as a picture, uint8 [height, width, 3]; `x` and `y` name the axes, with their units.

    The `note` stands over the legend. On a logarithmic y axis, what is not positive is left out.
    """

    def draw(figure: Any) -> None:
        axes = _axes(figure, x, y, title)
        if logarithmic:
            axes.set_yscale("log", nonpositive="mask")
        curves = []
        for line in lines:
            colour = _shares(line.colour)
            if line.band is not None:
                axes.fill_between(line.x, *line.band, color=colour, alpha=0.25, linewidth=0)
            curves += axes.plot(line.x, line.y, color=colour, linewidth=2)
        axes.margins(x=0.02)
        axes.grid(color=GRID, linewidth=0.8)
        names = [_plain(line.name) for line in lines]
        axes.legend(curves, names, loc="upper right", frameon=False, title=_escaped(note), alignment="left")

    return _drawn(draw)


def plot_dots(dots: Sequence[Dots], legend: Sequence[Key], x: str, y: str, *, title: str = "") -> np.ndarray:
    """Return points as a picture, uint8 [height, width, 3], both axes in one scale and the legend beside them.

    `x` and `y` name the axes; empty names mean that numbers along them say nothing, and none are shown.
    """

    def draw(figure: Any) -> None:
        axes = _axes(figure, x, y, title)
        for each in dots:
            axes.scatter(*each.places.T, c=each.colours / 255, **MARKERS[each.marker])
        axes.set_aspect("equal", adjustable="datalim")
        if not x and not y:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        keys = [axes.scatter([], [], color=_shares(key.colour), **MARKERS[key.marker]) for key in legend]
        names = [_plain(key.name) for key in legend]
        figure.legend(keys, names, loc="outside right upper", frameon=False)

    return _drawn(draw)


def _drawn(draw: Callable[[Any], None]) -> np.ndarray:
    """Return what a function draws on a figure, uint8 [height, width, 3]."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        size = (WIDTH / DOTS_PER_INCH, HEIGHT / DOTS_PER_INCH)
        figure = Figure(size, DOTS_PER_INCH, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        draw(figure)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)  # it is drawn as a box
            canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _axes(figure: Any, x: str, y: str, title: str) -> Any:
    axes = figure.add_subplot()
    axes.set_title(_escaped(title), color=TEXT, fontsize=12, loc="left")
    axes.set_xlabel(_escaped(x), color=TEXT, fontsize=11)
    axes.set_ylabel(_escaped(y), color=TEXT, fontsize=11)
    axes.tick_params(colors=TEXT, labelsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(TEXT)
    axes.set_axisbelow(True)
    return axes


def _shares(colour: Colour) -> tuple[float, ...]:
    return tuple(part / 255 for part in colour)


def _plain(name: str) -> str:
    """Return a name as a legend shows it, which leaves out those that begin with an underscore."""
    shown = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return _escaped(f" {shown}" if shown.startswith("_") else shown)


def _escaped(text: str) -> str:
    """Return a text in which no formula is looked for."""
    return text.replace("$", r"\$")
