"""ganctl list: the runs of a folder in a table, the one that changed last at its end."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from ganctl.command_line.jobs import Job
from ganctl.commands.tracking import telling
from ganctl.commands.tracking.asking import asked
from ganctl.commands.tracking.telling import ago, setting
from ganctl.errors import ConfigError, counted
from ganctl.folders.records import RunRecord, records_in
from ganctl.runtime.console import say
from ganctl.runtime.printing import console, plain, print_json
from ganctl.runtime.root import outputs
from ganctl.runtime.signals import Signals

COLUMNS: dict[str, Callable[[RunRecord], str | Text]] = {
    "run": lambda record: record.name,
    "status": telling.status,
    "step": telling.steps,
    "done": telling.share,
    "img/s": telling.speed,
    "score": telling.score,
    "changed": lambda record: ago(record.age()),
    "data": lambda record: setting(record.settings.get("data.name")),
    "model": lambda record: setting(record.settings.get("model.name")),
    "loss": lambda record: setting(record.settings.get("loss.name")),
}
"""What the table shows of each run."""

OPTIONAL = ("loss", "model", "data", "img/s", "changed", "step")
"""Columns that a narrow terminal goes without, the first ones first."""

NUMBERS = ("step", "done", "img/s", "changed")
"""Columns that are set to the right."""


def run(values: Mapping[str, Any], job: Job, signals: Signals) -> None:
    """Print the runs of a folder, by default outputs/.

    Raises `ConfigError` for a folder that is not there, and `OSError` for one that cannot be read.
    """
    names, flags = asked(job.words, ["--json"])
    if len(names) > 1:
        raise ConfigError(f"{names[1]}: list takes one folder; `ganctl compare` takes several runs")
    folder = Path(os.path.expanduser(names[0])) if names else outputs()
    if names and not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; give one that holds runs, such as outputs")
    records, others = records_in(folder) if folder.is_dir() else ([], 0)
    if "--json" in flags:
        runs = [record.fields() for record in records]
        print_json({"folder": str(folder), "runs": runs, "other_folders": others})
        return
    if records:
        terminal = console()
        terminal.print(_fitting(records, terminal))
        for record in records:
            for fault in record.faults:
                say(f"note    {record.name}: {fault}")
    else:
        say(f"{folder}: no runs; `ganctl train` begins one in {outputs()}")
    if others:
        say(f"{counted(others, 'other folder')} in {folder} {'is no run' if others == 1 else 'are no runs'}")


def _fitting(records: list[RunRecord], terminal: Console) -> Table:
    """Return the table with the columns for which the terminal is wide enough."""
    names = list(COLUMNS)
    for optional in OPTIONAL:
        table = _table(records, names)
        if Measurement.get(terminal, terminal.options.update(width=10_000), table).maximum <= terminal.width:
            break
        names.remove(optional)
    return _table(records, names)


def _table(records: list[RunRecord], names: list[str]) -> Table:
    table = Table()
    for name in names:
        table.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold")
    for record in records:
        cells = (COLUMNS[name](record) for name in names)
        table.add_row(*(cell if isinstance(cell, Text) else plain(cell) for cell in cells))
    return table
