"""docs/results/labels.md, generated from docs/results/labels.json alone."""

import os
from collections.abc import Sequence
from typing import Any

from ganctl.runtime.disk import write_whole
from scripts.tables import figure, results
from scripts.tables.report import filled, page_of, with_section
from scripts.tables.table import Column
from scripts.tables.trials import NAME, Question

Record = dict[str, Any]


def rewrite(questions: Sequence[Question]) -> None:
    """Generate the page's section, and its figure, from the results."""
    runs = results.read(NAME)
    for question in questions:
        figure.draw(curves(question, runs), "FID by the classifier", figure_of(question))
    page = page_of(NAME)
    write_whole(page, with_section(page.read_text(), NAME, section(questions, runs)).encode())


def figure_of(question: Question) -> Any:
    """Return the path of a question's figure."""
    return results.picture_of(f"{NAME}-fid-{question.key}")


def curves(question: Question, runs: Sequence[Record]) -> dict[str, list[list[tuple[float, float]]]]:
    """Return FID over seconds of CPU time, by the label of the row."""
    found = {}
    for trial in question.trials:
        for run in runs:
            if (run["part"], run["row"]) == (question.key, trial.key):
                course = [point for point in run["course"] if "fid" in point]
                found[trial.label] = [[(point["cpu_seconds"], point["fid"]["value"]) for point in course]]
    return found


def section(questions: Sequence[Question], runs: Sequence[Record]) -> str:
    """Return the Markdown of all questions: what was done, what came of it, and the commands that repeat it."""
    paragraphs = []
    for question in questions:
        mine = [run for run in runs if run["part"] == question.key]
        paragraphs += [f"## {question.title}", filled(question.told), *_answers(question, mine)]
    if runs:
        machines = sorted({run["hardware"] for run in runs})
        settings = sorted({_environment(run["environment"]) for run in runs if run["environment"]})
        paragraphs += [
            "## Commands",
            filled(f"Hardware: {'; '.join(machines)}. Each run has one thread: {'; '.join(settings)}."),
            "\n".join(["```text", *(line for run in runs for line in run["commands"]), "```"]),
        ]
    return "\n\n".join(paragraphs)


def _environment(told: dict[str, str]) -> str:
    return f"{told['device']}, {told['precision']}, torch {told['torch']}"


def _answers(question: Question, runs: Sequence[Record]) -> list[str]:
    """Return the table, the course, the figure and the pictures of a question."""
    by_row = {run["row"]: run for run in runs}
    shown = [(trial, by_row[trial.key]) for trial in question.trials if trial.key in by_row]
    missing = [trial.label for trial in question.trials if trial.key not in by_row]
    paragraphs = []
    if shown:
        heads = ["", *(column.heading for column in question.columns), "steps", "CPU minutes"]
        lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
        for trial, run in shown:
            numbers = [_cell(column, run["course"][-1], "value") for column in question.columns]
            lines.append([trial.label, *numbers, f"{run['step']:,}", f"{run['cpu_seconds'] / 60:.1f}"])
        floors = [_cell(column, shown[0][1]["course"][-1], "floor") for column in question.columns]
        lines.append(["real data", *floors, "", ""])
        paragraphs.append("\n".join("| " + " | ".join(cells) + " |" for cells in lines))
        paragraphs += [filled(_course(trial.label, question.columns[0], run)) for trial, run in shown]
    if missing:
        paragraphs.append(filled(f"Not run yet: {'; '.join(missing)}."))
    if shown and figure_of(question).exists():
        paragraphs.append(f"![FID over seconds of CPU time]({_link(figure_of(question))})")
    for _, run in shown:
        for name, caption in run["pictures"]:
            path = results.PICTURES / name
            paragraphs += [f"{caption}:", f"![{caption}]({_link(path)})"]
    return paragraphs


def _cell(column: Column, point: Record, side: str) -> str:
    value = point.get(column.metric, {}).get(side)
    return "–" if value is None else column.text([value])


def _course(label: str, column: Column, run: Record) -> str:
    """Return a row's first number over CPU time in one sentence."""
    points = (
        f"{_cell(column, point, 'value')} after {point['cpu_seconds'] / 60:.1f} min" for point in run["course"]
    )
    return f"{label}, {column.heading} over CPU time: {', '.join(points)}."


def _link(path: Any) -> str:
    return os.path.relpath(path, results.FOLDER).replace(os.sep, "/")
