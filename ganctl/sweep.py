"""How the jobs of a sweep are reported, and the table of them all."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from ganctl.composed import Job
from ganctl.errors import ConfigError
from ganctl.runtime.console import say
from ganctl.runtime.disk import make_folder, write_whole

SIGNALS = 128
"""Exit codes above are those of signals."""


class Table:
    """Reports the jobs of a sweep while they run, and keeps a table of them in the sweep's folder.

    Nothing is written before a job has been accepted.
    """

    def __init__(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._codes: list[int] = []

    def begin(self, job: Job) -> None:
        """Say which job starts."""
        say(f"[{job.number:,}/{job.total:,}] {job.title()}")

    def end(self, job: Job, code: int, found: Mapping[str, Any]) -> None:
        """Add how a job ended: its exit code, and what is `found` of its run: folder, status, step, score.

        Raises `OSError` if the table cannot be written.
        """
        self._codes.append(code)
        status = "complete" if code == 0 else "stopped" if code > SIGNALS else f"failed (exit {code})"
        row = {"job": job.number, "words": job.title(), "folder": "", "status": status, "step": "", "score": ""}
        told = {**row, **found}
        if code:
            told["status"] = status
        same = next(
            (each["job"] for each in self._rows if told["folder"] and each["folder"] == told["folder"]), None
        )
        if same is not None:
            told["status"] += f", same run as job {same}"
            say(f"note    job {job.number} is the run of job {same}: what differs leaves a run's numbers alone")
        self._rows.append(told)
        if any(code != ConfigError.exit_code for code in self._codes):
            make_folder(job.folder)
            write_whole(job.folder / "sweep.csv", self._text().encode())

    def close(self) -> None:
        """Say how the jobs ended, if there were any."""
        if not self._codes:
            return
        failed = [
            f"{row['words']} (exit {code})" for row, code in zip(self._rows, self._codes, strict=True) if code
        ]
        told = f"{len(self._codes) - len(failed):,} done, {len(failed):,} failed"
        say(told + (f": {', '.join(failed)}" if failed else ""))

    def _text(self) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self._rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        return text.getvalue()
