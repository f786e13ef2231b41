"""ganctl compare: in which settings runs differ, and their numbers side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from ganctl.command_line.jobs import Job
from ganctl.commands.tracking.asking import asked, record_of
from ganctl.commands.tracking.telling import console, interval, kept, plain, print_json, setting
from ganctl.errors import ConfigError
from ganctl.folders.records import RunRecord
from ganctl.folders.scores import Best, MeasuredNumber
from ganctl.runtime.console import say
from ganctl.runtime.signals import Signals

Rows = dict[str, list[Any]]
"""Values by what they are, one for each run; None where it has none."""

OF_ITS_OWN = {"name"}
"""Settings in which every run differs."""

LAST = ("loss/generator", "loss/discriminator", "probability/real", "probability/fake")
"""The numbers of the last logged step that are compared."""


def run(values: Mapping[str, Any], job: Job, signals: Signals) -> None:
    """Print the settings that differ between runs, and their numbers.

    Raises `ConfigError` for fewer than two runs, `CheckpointError` for one that is not there.
    """
    names, flags = asked(job.words, ["--json"])
    if len(names) < 2:
        raise ConfigError("compare: takes two runs or more: ganctl compare outputs/<run> outputs/<run>")
    records = [record_of(name) for name in names]
    settings, numbers, notes = differing(records), side_by_side(records), remarks(records)
    if "--json" in flags:
        runs = [record.fields() for record in records]
        print_json({"runs": runs, "settings": settings, "numbers": numbers, "notes": notes})
        return
    columns = [record.name for record in records]
    if settings:
        _print("setting", columns, {key: [setting(each) for each in row] for key, row in settings.items()})
    else:
        say("no setting differs")
    _print("number", columns, {key: [_told(each) for each in row] for key, row in numbers.items()})
    for note in notes:
        say(f"note    {note}")


def differing(records: Sequence[RunRecord]) -> Rows:
    """Return the settings in which runs differ, by dotted key in alphabetical order."""
    keys = {key for record in records for key in record.settings} - OF_ITS_OWN
    rows = {key: [record.settings.get(key) for record in records] for key in sorted(keys)}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values)}


def side_by_side(records: Sequence[RunRecord]) -> Rows:
    """Return the numbers of runs, and what was evaluated: the newest answer of each to the same question."""
    rows: Rows = {
        "status": [record.status for record in records],
        "step": [record.step for record in records],
        "images_per_second": [record.images_per_second for record in records],
    }
    rows |= {key: [record.numbers.get(key) for record in records] for key in LAST}
    for by in dict.fromkeys(record.best.by for record in records if record.best is not None):
        rows[_free(rows, "best")] = [each.best if each.best and each.best.by == by else None for each in records]
    answers = [{(each.question, each.number): each for each in record.evaluations} for record in records]
    for key in dict.fromkeys(key for answer in answers for key in answer):
        found = [answer.get(key) for answer in answers]
        one = next(each for each in found if each is not None)
        rows[_free(rows, f"{one.number} ({one.way})")] = found
    return {key: values for key, values in rows.items() if any(value is not None for value in values)}


def remarks(records: Sequence[RunRecord]) -> list[str]:
    """Return what keeps numbers from being compared: other data, and what could not be read."""
    notes = [f"{record.name}: {fault}" for record in records for fault in record.faults]
    data = dict.fromkeys(record.data for record in records if record.data is not None)
    if len(data) > 1:
        groups = (" and ".join(each.name for each in records if each.data == one) for one in data)
        notes.append(f"numbers of different data, which do not compare: {' — '.join(groups)}")
    return notes


def _free(rows: Rows, label: str) -> str:
    """Return a label that no row has yet: where another question is called the same, it is numbered."""
    number = 1
    name = label
    while name in rows:
        number += 1
        name = f"{label} #{number}"
    return name


def _print(what: str, names: Sequence[str], rows: Mapping[str, Sequence[str]]) -> None:
    table = Table(what)
    for name in names:
        table.add_column(plain(name), overflow="fold")
    for key, values in rows.items():
        table.add_row(plain(key), *map(plain, values))
    console().print(table)


def _told(value: Any) -> str:
    match value:
        case Best():
            return kept(value)
        case MeasuredNumber():
            return interval(value)
        case float():
            return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
        case int():
            return f"{value:,}"
    return "" if value is None else str(value)
