"""ganctl report: runs as one page, a file that needs no network."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from ganctl.command_line.jobs import Job
from ganctl.commands.tracking.asking import asked
from ganctl.commands.tracking.comparing import remarks
from ganctl.commands.tracking.reports import rendering
from ganctl.commands.tracking.reports.swept import SweptJobs, read_sweep
from ganctl.commands.words.output import file_named, writing
from ganctl.errors import CheckpointError, ConfigError, counted
from ganctl.folders.find import find_run
from ganctl.folders.records import RunRecord, records_in
from ganctl.runtime.bounded import opened
from ganctl.runtime.console import say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.root import outputs
from ganctl.runtime.signals import Signals

NAME = "report.html"


def run(values: Mapping[str, Any], job: Job, signals: Signals) -> None:
    """Write the report of runs, folders of runs and sweeps, by default of outputs/.

    It is written to the folder that is given, to outputs/ if several are, or where `out=` says. An earlier report
    is replaced. Raises `ConfigError` for a file there that is none, and where what makes the page is not
    installed, `CheckpointError` for words that name no runs, `WriteError` for a place that cannot be written.
    """
    outs = [word.removeprefix("out=") for word in job.words if word.startswith("out=")]
    names, _ = asked([word for word in job.words if not word.startswith("out=")], [])
    if len(outs) > 1:
        raise ConfigError("out: given twice; a report is one file")
    rendering.require()
    from ganctl.commands.tracking.reports.document import document

    folders = [_folder_of(name) for name in names] or [outputs()]
    records, sweeps = _found(folders)
    file = _place(outs[0] if outs else None, folders)
    title = ", ".join(str(folder) for folder in folders[:3]) + (", …" if len(folders) > 3 else "")
    page = rendering.rendered(document(records, sweeps, title), datetime.now().isoformat(" ", "minutes"))
    with writing(file):
        write_whole(file, page)
    for note in remarks(records):
        say(f"note    {note}")
    say(f"report of {counted(len(records), 'run')}, {len(page) / 1e6:.1f} MB: {file}")


def _folder_of(word: str) -> Path:
    path = find_run(word)
    if not path.is_dir():
        raise CheckpointError(f"{word}: a file, and not the folder of a run, of runs or of a sweep")
    return path


def _found(folders: Sequence[Path]) -> tuple[list[RunRecord], list[SweptJobs]]:
    """Return the runs of folders, each once and under a name of its own, and the sweeps among the folders.

    Raises `CheckpointError` for a folder without runs.
    """
    found: dict[str, RunRecord] = {}
    sweeps = []
    for folder in folders:
        sweep = read_sweep(folder)
        records = sweep.records()
        with suppress(FileNotFoundError):
            records += records_in(folder)[0]
        if not records:
            told = "none of its jobs has a run" if sweep.jobs else "no runs"
            raise CheckpointError(f"{folder}: {told}; `ganctl train` begins one in {outputs()}")
        for record in records:
            found.setdefault(os.path.realpath(record.path), record)
        sweeps += [sweep] if sweep.jobs or sweep.faults else []
    records = [*found.values()]
    names = Counter(record.name for record in records)
    for record in records:
        record.name = record.name if names[record.name] == 1 else str(record.path)
    return records, sweeps


def _place(out: str | None, folders: Sequence[Path]) -> Path:
    """Return the file of the report; raises as `run` does."""
    given = out if out is not None else str(folders[0] if len(folders) == 1 else outputs())
    path = file_named(given, {"html", "htm"}) or Path(given) / NAME
    if path.is_dir() or (path.exists() and not _is_report(path)):
        raise ConfigError(f"out: {path} is there and is no report of ganctl; name another file: out=other.html")
    return path


def _is_report(path: Path) -> bool:
    """Return whether a file begins as reports do; an empty one is none."""
    mark = rendering.MARK.encode()
    with opened(path) as file:
        return file.read(len(mark)) == mark
