"""ganctl compare: in which settings runs differ, and their numbers side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from ganctl.command_line.jobs import Job
from ganctl.commands.tracking.asking import asked, record_of
from ganctl.commands.tracking.comparing import differing, remarks, side_by_side
from ganctl.commands.tracking.telling import interval, kept, setting
from ganctl.errors import ConfigError
from ganctl.folders.scores import Best, MeasuredNumber
from ganctl.runtime.console import say
from ganctl.runtime.printing import console, plain, print_json
from ganctl.runtime.signals import Signals


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
