"""docs/results/<table>.md: a table's page, generated from its results alone."""

import os
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from ganctl.runtime.disk import write_whole
from scripts.tables import figure, results
from scripts.tables.results import Record
from scripts.tables.table import Column, Part, Row, Table

REAL = "real data"
WIDTH = 120


def page_of(name: str) -> Path:
    """Return the page of a table, next to its results."""
    return results.FOLDER / f"{name}.md"


def rewrite(table: Table) -> None:
    """Generate a table's section, and its figure, from its results.

    Raises `ValueError` if the page has no place for it.
    """
    runs = results.read(table.name)
    if table.figure is not None:
        for part in table.parts:
            figure.draw(curves(table, part, runs), table.columns[0].heading, _figure_of(table, part))
    page = page_of(table.name)
    text = page.read_text()
    write_whole(page, with_section(text, table.name, section(table, runs)).encode())


def with_section(page: str, name: str, text: str) -> str:
    """Return a page with the text between the marks of a table.

    Raises `ValueError` if it has no such marks.
    """
    marks = re.compile(rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not marks.search(page):
        raise ValueError(f"{page_of(name)} has no lines <!-- table: {name} --> and <!-- end -->")
    return marks.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", page, count=1)


def section(table: Table, runs: Sequence[Record]) -> str:
    """Return the Markdown of a table: what was done, on what, how long, and what came of it."""
    paragraphs = [
        filled(table.protocol),
        "What differs from the papers:",
        "\n".join(filled(deviation, "- ") for deviation in table.deviations),
        "What is in:",
        *_circumstances(table, runs),
    ]
    for part in table.parts:
        paragraphs += _part(table, part, [run for run in runs if run["part"] == part.key])
    if table.tried:
        paragraphs += ["What was tried:", "\n".join(filled(found, "- ") for found in table.tried)]
    if runs:
        paragraphs += [
            "The commands that repeat the first run of each row, and how each run is measured:",
            _commands(table, runs),
        ]
    return "\n\n".join(paragraphs)


def filled(text: str, mark: str = "") -> str:
    """Return a paragraph, or a point of a list behind its mark, in lines of the page's width."""
    rest = " " * len(mark)
    return textwrap.fill(
        text, WIDTH, initial_indent=mark, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _circumstances(table: Table, runs: Sequence[Record]) -> list[str]:
    """Return how much is in, on what it ran, how long it took, and how to go on."""
    rows = sum(row.words is not None for part in table.parts for row in part.rows)
    planned = rows * table.seeds
    again = f"`scripts/tables/{table.name}` goes on with what is missing; it skips what is in `outputs/`."
    if not runs:
        return [filled(f"Runs: none of {planned} yet. {again}", "- ")]
    trained, measured = (
        sum(run["seconds"][work] or 0 for run in runs) / 3600 for work in ("training", "evaluation")
    )
    machines = sorted({run["hardware"] for run in runs})
    settings = {
        f"{environment['device']}, {environment['precision']}, torch {environment['torch']}"
        for environment in (run["environment"] for run in runs)
        if environment
    }
    facts = [
        f"Runs: {len(runs)} of {planned} are in ({table.seeds} a row are planned). {again}",
        f"Hardware: {'; '.join(machines)}. Each run: {'; '.join(sorted(settings))}.",
        f"Time: {trained:.1f} hours of training and {measured:.1f} of measuring, added up over the runs.",
    ]
    accuracies = sorted({run["accuracy"] for run in runs if run["accuracy"] is not None})
    if accuracies:
        told = ", ".join(f"{accuracy:.2%}" for accuracy in accuracies)
        facts.append(f"Classifier: tells {told} of held-out digits right.")
    return ["\n".join(filled(fact, "- ") for fact in facts)]


def _part(table: Table, part: Part, runs: Sequence[Record]) -> list[str]:
    """Return the heading, the table and the pictures of one data set."""
    paragraphs = [f"### {part.title}"] if part.title else []
    lines = []
    missing = []
    for row in part.rows:
        mine = [run for run in runs if run["row"] == row.key]
        if row.words is None or mine:
            lines.append(_line(table, part, row, mine))
        else:
            missing.append(row.label)
    if any(run["status"] == "complete" for run in runs) or part.real:
        lines.append(_real(table, part, runs))
    if lines:
        heads = ["", *(head for column in table.columns for head in _heads(part, column))]
        heads += ["runs", "minutes a run"] if part.trained else []
        rule = ["---", *["---:"] * (len(heads) - 1)]
        paragraphs.append("\n".join("| " + " | ".join(cells) + " |" for cells in (heads, rule, *lines)))
    if missing:
        paragraphs.append(filled(f"Not run yet: {'; '.join(missing)}."))
    paragraphs += _pictures(table, part, runs)
    path = _figure_of(table, part)
    if table.figure is not None and runs and path.exists():
        paragraphs += [f"![Numbers over time]({_link(path)})", filled(table.figure)]
    return paragraphs


def _published(part: Part, column: Column) -> bool:
    return column.number in part.real or any(column.number in row.published for row in part.rows)


def _heads(part: Part, column: Column) -> list[str]:
    return _cells(part, column, f"{column.heading}, paper", column.heading)


def _cells(part: Part, column: Column, published: str, ours: str) -> list[str]:
    """Return what was published, where anything was, and what is ours, where anything is trained."""
    return [published] * _published(part, column) + [ours] * part.trained


def _line(table: Table, part: Part, row: Row, runs: Sequence[Record]) -> list[str]:
    """Return the cells of a row: published numbers beside the means of ours over complete runs."""
    complete = [run for run in runs if run["status"] == "complete"]
    cells = [row.label]
    for column in table.columns:
        ours = [value for run in complete if (value := column.value(run)) is not None]
        text = column.text(ours) if row.words is not None else ""
        cells += _cells(part, column, row.published.get(column.number, ""), text)
    if row.words is None:
        return [*cells, *["", ""] * part.trained]
    diverged = len(runs) - len(complete)
    count = f"{len(complete)} of {max(table.seeds, len(runs))}" + (f", {diverged} diverged" if diverged else "")
    minutes = [run["seconds"]["training"] / 60 for run in complete if run["seconds"]["training"]]
    return [*cells, count, f"{sum(minutes) / len(minutes):.1f}" if minutes else "–"]


def _real(table: Table, part: Part, runs: Sequence[Record]) -> list[str]:
    """Return the cells of the real data: the mean of what the evaluations gave as their floor."""
    cells = [REAL]
    for column in table.columns:
        numbers = [run["numbers"].get(column.metric, {}).get(column.number) for run in runs]
        floors = [number["floor"] for number in numbers if number and number["floor"] is not None]
        ours = column.text([sum(floors) / len(floors)]) if floors and column.after is None else ""
        cells += _cells(part, column, part.real.get(column.number, ""), ours)
    return [*cells, *["", ""] * part.trained]


def _pictures(table: Table, part: Part, runs: Sequence[Record]) -> list[str]:
    """Return a table of the rows' sample pictures, those of the lowest seed that is in."""
    shown = []
    for row in part.rows:
        seeds = [run["seed"] for run in runs if run["row"] == row.key and run["status"] == "complete"]
        path = results.picture_of("-".join(filter(None, (table.name, row.key, part.key))))
        if seeds and path.exists():
            shown.append((f"{row.label}, seed {min(seeds)}", f"![Samples of {row.label}]({_link(path)})"))
    return [
        "\n".join("| " + " | ".join(cells) + " |" for cells in (heads, ["---"] * len(heads), pictures))
        for heads, pictures in (zip(*shown[start : start + 4], strict=True) for start in range(0, len(shown), 4))
    ]


def _commands(table: Table, runs: Sequence[Record]) -> str:
    """Return a block of each row's first training, and of one evaluation."""
    pairs: list[list[str]] = []
    for part in table.parts:
        for row in part.rows:
            mine = [run for run in runs if (run["part"], run["row"]) == (part.key, row.key)]
            if mine:
                pairs.append(min(mine, key=lambda run: int(run["seed"]))["commands"])
    return "\n".join(["```text", *(train for train, _ in pairs), pairs[0][1], "```"])


def _link(path: Path) -> str:
    return os.path.relpath(path, results.FOLDER).replace(os.sep, "/")


def _figure_of(table: Table, part: Part) -> Path:
    return results.picture_of("-".join(filter(None, (table.name, part.key))))


def curves(table: Table, part: Part, runs: Sequence[Record]) -> dict[str, list[list[tuple[float, float]]]]:
    """Return the first column's number over seconds of training, by the label of the row, one list a complete run.

    What a run measured on the way, then what `ganctl evaluate` found at its end.
    """
    column = table.columns[0]
    found: dict[str, list[list[tuple[float, float]]]] = {}
    for row in part.rows:
        for run in runs:
            if (run["part"], run["row"], run["status"]) != (part.key, row.key, "complete"):
                continue
            end = run["seconds"]["training"]
            points = [(seconds, value) for seconds, value in run["on_the_way"] if seconds < end]
            last = (end, run["numbers"][column.metric][column.number]["value"])
            found.setdefault(row.label.strip("`"), []).append([*points, last])
    return found
