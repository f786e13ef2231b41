"""The table of a sweep's jobs, sweep.csv in its folder: what each was, what became of it, and why."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganctl.command_line.jobs import Job
from ganctl.errors import ConfigError, TimeUpError
from ganctl.folders.records import RunRecord, is_run
from ganctl.runtime.bounded import read_text
from ganctl.runtime.disk import alone, make_folder, write_whole

NAME = "sweep.csv"

SIGNALS = 128
"""Exit codes above are those of signals."""

COLUMNS = ("job", "words", "folder", "status", "step", "score", "code", "why")

FOUND = ("folder", "step", "score")
"""What a row holds of that which a command found out of its run."""

LONGEST = 16 << 20
"""Bytes of a table; a row has about 200."""

Row = dict[str, str]


@dataclass(frozen=True)
class Ended:
    """How a job ended: exit code, the error in words, and what the command found out of its run."""

    code: int
    why: str = ""
    busy: bool = False
    found: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_crash(cls, crash: Exception, job: Job) -> "Ended":
        """Return how a job ended that raised a programmer's mistake."""
        return cls(1, f"crashed by {type(crash).__name__}: {crash}", found=job.found)

    @property
    def status(self) -> str:
        """The job's status in a word or two."""
        if self.code == 0:
            return "pruned" if self.found.get("pruned") else str(self.found.get("status", "complete"))
        if self.busy:
            return "busy"
        stopped = self.code > SIGNALS or self.code == TimeUpError.exit_code
        return "stopped" if stopped else f"failed (exit {self.code})"

    @property
    def failed(self) -> bool:
        """Whether the same command would fail again, as far as is known."""
        return self.status.startswith("failed")


class SweepTable:
    """Keeps sweep.csv, to which jobs of several processes add. It is written when a job has been accepted."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME

    def add(self, job: Job, ended: Ended) -> str:
        """Add what became of a job, in place of an earlier row of the same words; return a remark, or nothing.

        Raises `OSError` if it cannot be written.
        """
        row: Row = {"job": str(job.number), "words": job.title(), "status": ended.status}
        row |= {key: str(ended.found[key]) for key in FOUND if key in ended.found}
        row |= {"code": str(ended.code), "why": ended.why}
        if ended.code == ConfigError.exit_code and not ended.busy and not self._path.exists():
            return ""
        make_folder(self._path.parent)
        with alone(self._path):
            others = [each for each in self.rows() if each["words"] != row["words"]]
            same = _same_run(row, others)
            if same is not None:
                row["status"] += f", same run as job {same['job']}"
            write_whole(self._path, _text([*others, row]).encode())
        if same is None:
            return ""
        return f"job {job.number} is the run of job {same['job']}: what differs leaves a run's numbers alone"

    def rows(self) -> list[Row]:
        """Return the rows in the order of their jobs; none of a table that is not there or cannot be read."""
        try:
            return read_rows(self._path, LONGEST)
        except (OSError, ValueError, csv.Error):
            return []

    def earlier(self, jobs: Iterable[Job]) -> dict[str, Ended]:
        """Return how those of jobs ended in an earlier start that failed, or whose runs are complete, by words."""
        asked = {job.title() for job in jobs}
        found = {row["words"]: (row, ended_of(row)) for row in self.rows() if row["words"] in asked}
        return {
            words: ended
            for words, (row, ended) in found.items()
            if ended.failed or (ended.code == 0 and _is_complete(row["folder"]))
        }


def read_rows(path: Path, longest: int) -> list[Row]:
    """Return the rows of a table of at most `longest` bytes, in order; of each, all columns as texts.

    Raises `OSError`, `ValueError` or `csv.Error` if it cannot be read.
    """
    found = csv.DictReader(io.StringIO(read_text(path, longest)))
    return [{key: row.get(key) or "" for key in COLUMNS} for row in found]


def ended_of(row: Row) -> Ended:
    """Return how the job of a row ended."""
    status = row["status"].partition(",")[0]
    found: dict[str, Any] = {key: row[key] for key in FOUND if row[key]}
    found |= {"status": status, "pruned": status == "pruned"}
    code = int(row["code"]) if row["code"].isdecimal() else 1
    return Ended(code, row["why"], status == "busy", found)


def _is_complete(folder: str) -> bool:
    return bool(folder) and is_run(Path(folder)) and RunRecord(Path(folder)).status == "complete"


def _same_run(row: Row, others: Iterable[Row]) -> Row | None:
    folder = row.get("folder")
    return next((each for each in others if folder and each["folder"] == folder), None)


def _text(rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(rows, key=lambda row: int(row["job"]) if row["job"].isdecimal() else 0))
    return text.getvalue()
