"""docs/results/few.md, generated from docs/results/few.json alone."""

import os
from collections.abc import Sequence

from ganctl.runtime.disk import write_whole
from scripts.tables import results
from scripts.tables.few import CLASS, COLUMNS, IMAGES, NAME, SOURCE, Row, Work
from scripts.tables.report import filled, page_of, with_section
from scripts.tables.results import Record
from scripts.tables.table import command


def rewrite(rows: Sequence[Row]) -> None:
    """Generate the page's section from the results."""
    page = page_of(NAME)
    write_whole(page, with_section(page.read_text(), NAME, section(rows, results.read(NAME))).encode())


def section(rows: Sequence[Row], runs: Sequence[Record]) -> str:
    """Return the Markdown: what was done, what came of it, pictures, and the commands that repeat it."""
    if not runs:
        return "Not run yet."
    minutes, seeds = runs[0]["minutes"], 1 + max(run["seed"] for run in runs)
    told = (
        f"{IMAGES} training images of CIFAR-10's class {CLASS} (JPEG copies, 32×32), {minutes:g} CPU minutes on "
        f"one thread for each run, {seeds} seeds, mean ± standard error. FID is of samples against the held-out "
        "images of the class, in the features of a small classifier of all ten classes: it compares the rows with "
        "each other, and is no published FID. The distance is that of samples to the nearest training image, over "
        "that of training images to each other: near 0, samples are copies. Copies are as near as the nearest 1 % "
        "of training images. A transfer starts from a run on all ten classes, which had twice the CPU time "
        "before. No row copies in this time: there is nothing yet for an augmentation to prevent."
    )
    heads = ["", *(column.heading for column in COLUMNS), "steps"]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    pictures: list[str] = []
    for row in rows:
        mine = [run for run in runs if run["row"] == row.key]
        if not mine:
            continue
        numbers = [column.text([run["numbers"][column.number]["value"] for run in mine]) for column in COLUMNS]
        steps = sum(run["step"] for run in mine) / len(mine)
        lines.append([row.label, *numbers, f"{steps:,.0f}"])
        link = os.path.relpath(results.picture_of(f"{NAME}-{row.key}"), results.FOLDER).replace(os.sep, "/")
        pictures += [f"{row.label}:", f"![{row.label}]({link})"]
    floors = [column.text([runs[0]["numbers"][column.number]["floor"]]) for column in COLUMNS]
    lines.append(["real images", *floors, ""])
    source = command(Work(SOURCE, 0, 0, 0, "").train("cifar10-jpg.zip"))
    shown = [source, *(line for run in runs if run["seed"] == 0 for line in run["commands"])]
    return "\n\n".join(
        [
            filled(told),
            "\n".join("| " + " | ".join(cells) + " |" for cells in lines),
            *pictures,
            f"The commands of seed 0; `scripts/tables/{NAME} --cifar cifar10-jpg.zip` ends each by its CPU time:",
            "\n".join(["```text", *shown, "```"]),
            filled(f"Hardware: {'; '.join(sorted({run['hardware'] for run in runs}))}."),
        ]
    )
