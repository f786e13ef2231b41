"""The jobs of a sweep by the table in its folder, which may name runs anywhere, or none."""

import csv
from dataclasses import dataclass, field
from pathlib import Path

from ganctl.folders.records import RunRecord, is_run
from ganctl.sweeps.sweep_table import NAME, read_rows

LONGEST_FILE, MOST_JOBS = 4 << 20, 2000
"""Bytes of the table, and rows that are read of it."""


@dataclass
class SweptJobs:
    """A sweep's jobs as its table has them: words, status, step and score, each with its run if there is one."""

    jobs: list[tuple[dict[str, str], RunRecord | None]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def records(self) -> list[RunRecord]:
        """Return the runs of its jobs; two jobs may have one."""
        found = {record.path: record for _, record in self.jobs if record is not None}
        return list(found.values())


def read_sweep(folder: Path) -> SweptJobs:
    """Return the sweep of a folder; nothing is raised for a table that is missing or cannot be read.

    A run is looked for at its place as it is written, and beside the sweep's folder.
    """
    sweep = SweptJobs()
    try:
        rows = read_rows(folder / NAME, LONGEST_FILE)
    except FileNotFoundError:
        return sweep
    except (OSError, ValueError, csv.Error) as error:
        sweep.faults.append(f"{folder.name}/{NAME}: cannot be read ({error})")
        return sweep
    if len(rows) > MOST_JOBS:
        sweep.faults.append(f"{folder.name}/{NAME}: only its first {MOST_JOBS:,} jobs are shown")
    known: dict[Path, RunRecord] = {}
    for row in rows[:MOST_JOBS]:
        told = {key: row[key] for key in ("words", "status", "step", "score")}
        path = _run_of(folder, row["folder"])
        if path is not None and path not in known:
            known[path] = RunRecord(path)
        sweep.jobs.append((told, known[path] if path is not None else None))
    return sweep


def _run_of(folder: Path, told: str) -> Path | None:
    if not told or "\0" in told:
        return None
    places = (Path(told), folder.parent / Path(told).name)
    return next((place for place in places if is_run(place)), None)
