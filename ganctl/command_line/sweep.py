"""How the jobs of a sweep are reported, and the table of them all."""

import csv
import io
from collections.abc import Callable
from typing import Any

from ganctl.command_line.jobs import Job
from ganctl.errors import ConfigError, Stopped
from ganctl.runtime.console import say
from ganctl.runtime.disk import make_folder, write_whole

SIGNALS = 128
"""Exit codes above are those of signals."""


COLUMNS = ("job", "words", "folder", "status", "step", "score")


class SweepTable:
    """Reports the jobs of a sweep while they run, and keeps a table of them in the sweep's folder.

    Nothing is written before a job has been accepted.
    """

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []

    def run(self, job: Job, work: Callable[[], int]) -> int:
        """Do the work of a job and return its exit code; of a sweep's job, report that it starts and how it ended.

        Raises what the work raises, and `OSError` if the table cannot be written.
        """
        if job.folder is None:
            return work()
        say(f"[{job.number:,}/{job.total:,}] {job.title()}")
        code = 1
        try:
            code = work()
        except Stopped as stop:
            code = stop.exit_code
            raise
        finally:
            self._add(job, code)
            if any(row["code"] != ConfigError.exit_code for row in self._rows):
                make_folder(job.folder)
                write_whole(job.folder / "sweep.csv", self._text().encode())
        return code

    def _add(self, job: Job, code: int) -> None:
        row = {"status": "complete"} | job.found | {"job": job.number, "words": job.title(), "code": code}
        if code:
            row["status"] = "stopped" if code > SIGNALS else f"failed (exit {code})"
        folder = row.get("folder")
        same = next((each["job"] for each in self._rows if folder and each.get("folder") == folder), None)
        if same is not None:
            row["status"] += f", same run as job {same}"
            say(f"note    job {job.number} is the run of job {same}: what differs leaves a run's numbers alone")
        self._rows.append(row)

    def close(self) -> None:
        """Report how many jobs succeeded and which failed, if there were any."""
        failed = [f"{row['words']} (exit {row['code']})" for row in self._rows if row["code"]]
        if self._rows:
            told = f"{len(self._rows) - len(failed):,} done, {len(failed):,} failed"
            say(told + (f": {', '.join(failed)}" if failed else ""))

    def _text(self) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        return text.getvalue()
