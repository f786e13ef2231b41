"""docs/results/time_to_quality.md, generated from docs/results/time_to_quality.json alone."""

import math
import os
from collections.abc import Sequence
from pathlib import Path

from ganctl.runtime.disk import write_whole
from scripts.tables import figure, results
from scripts.tables.quality import NAME
from scripts.tables.quality_rows import SETS, Images, Row
from scripts.tables.report import filled, page_of, with_section
from scripts.tables.results import Record
from scripts.tables.table import standard_error

SHOWN = (30, 60, 120, 240, 300)
"""The marks of the tables, in CPU seconds."""

TUTORIAL = "tutorial"
"""The key of the row with whose end the others are compared."""


def rewrite(rows: Sequence[Row]) -> None:
    """Generate the page's section, and its figures, from the results."""
    runs = results.read(NAME)
    for images in SETS:
        figure.draw(curves(rows, _of(runs, images)), "FID by the classifier", figure_of(images))
    page = page_of(NAME)
    write_whole(page, with_section(page.read_text(), NAME, section(rows, runs)).encode())


def figure_of(images: Images) -> Path:
    """Return the path of a set's figure."""
    return results.picture_of(f"{NAME}-{images.key}")


def _of(runs: Sequence[Record], images: Images) -> list[Record]:
    return [run for run in runs if run["part"] == images.key]


def curves(rows: Sequence[Row], runs: Sequence[Record]) -> dict[str, list[list[tuple[float, float]]]]:
    """Return FID over CPU seconds, by the label of the row, one list a run."""
    found: dict[str, list[list[tuple[float, float]]]] = {}
    for row in rows:
        for run in runs:
            if run["row"] == row.key:
                points = [(seconds, fid) for seconds, _, fid in run["points"]]
                found.setdefault(row.label, []).append(points)
    return found


def at(run: Record, seconds: float) -> float | None:
    """Return the FID of a run at a mark: of its last measurement until then, None before its first.

    A measurement may be late, since the step is ended first. At the end of a run it is its last one.
    """
    if seconds == run["seconds"]:
        return float(run["points"][-1][2])
    before = [fid for when, _, fid in run["points"] if when <= 1.02 * seconds + 1]
    return before[-1] if before else None


def reached(run: Record, fid: float) -> float:
    """Return the CPU seconds of the first measurement at which a run is as good as an FID; infinite if none is."""
    return next((when for when, _, found in run["points"] if found <= fid), math.inf)


def section(rows: Sequence[Row], runs: Sequence[Record]) -> str:
    """Return the Markdown: what was done, each set's table and figure, and the commands that repeat it."""
    if not runs:
        return "Not run yet."
    told = (
        "How good are samples after so many seconds of training? Each run has one thread and one core of two; its "
        "seconds are those of the CPU, start, loading of the data, images and checkpoints included; "
        "folders and zips are decoded into the cache before. FID is of "
        f"{runs[0]['samples']:,} samples in the features of a classifier of the set: it compares a set's rows "
        "with each other, and is no published FID. A number is that of the last measurement until then, mean ± "
        "standard error over the seeds that are in; times to be as good are those of the first such measurement, "
        "and ganctl's defaults are measured more often."
    )
    paragraphs = [filled(told), "\n".join(filled(f"{row.label}: {row.told}", "- ") for row in rows)]
    for images in SETS:
        if mine := _of(runs, images):
            paragraphs += _set(images, rows, mine)
    machines = "; ".join(sorted({run["hardware"] for run in runs}))
    commands = [line for run in runs if run["seed"] == 0 for line in run["commands"]]
    return "\n\n".join(
        [
            *paragraphs,
            "## Commands",
            filled(
                f"Hardware: {machines}. The commands of ganctl, each of which `scripts/tables/{NAME}` ends by "
                "its CPU time; the loops are in `scripts/tables/plain_rows.py`:"
            ),
            "\n".join(["```text", *commands, "```"]),
        ]
    )


def _set(images: Images, rows: Sequence[Row], runs: Sequence[Record]) -> list[str]:
    end = max(run["seconds"] for run in runs)
    marks = [*(mark for mark in SHOWN if mark < end), end]
    ends = [run["points"][-1][2] for run in runs if run["row"] == TUTORIAL]
    goal = math.fsum(ends) / len(ends) if ends else None
    heads = ["", *(f"{mark:g} s" for mark in marks), "as good as the tutorial at its end after", "runs"]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    for row in rows:
        if mine := [run for run in runs if run["row"] == row.key]:
            cells = [_text([at(run, mark) for run in mine]) for mark in marks]
            when = "" if row.key == TUTORIAL else soonest(mine, goal)
            lines.append([row.label, *cells, when, str(len(mine))])
    floor = runs[0]["floor"]
    lines.append(["real images", *[""] * (len(marks) - 1), f"{floor:.3g}", "", ""])
    link = os.path.relpath(figure_of(images), results.FOLDER).replace(os.sep, "/")
    return [
        f"## {images.title}",
        "\n".join("| " + " | ".join(cells) + " |" for cells in lines),
        f"![FID over seconds of training: {images.title}]({link})",
    ]


def _text(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    mean = math.fsum(known) / len(known)
    return f"{mean:.3g}" + (f" ± {standard_error(known):.2g}" if len(known) > 1 else "")


def soonest(runs: Sequence[Record], goal: float | None) -> str:
    """Return when runs were first as good as an FID: from the first to the last of them."""
    if goal is None:
        return "–"
    times = sorted(reached(run, goal) for run in runs)
    told = dict.fromkeys("never" if math.isinf(time) else f"{time:.0f} s" for time in (times[0], times[-1]))
    return " to ".join(told)
