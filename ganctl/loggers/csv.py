"""metrics.csv: a table that spreadsheets open, one row a logged step."""

import csv
import io
import math
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from ganctl.loggers.logger import LOGGERS, Log, LoggedRun, Logger
from ganctl.loggers.parts.log_file import LogFile
from ganctl.runtime.bounded import opened
from ganctl.runtime.disk import temporary


class Table(LogFile):
    """Logs numbers as a table with a column for each; a new number adds one at the end.

    Columns may come in the middle of a run, so a resumed run writes the table again from metrics.jsonl, and no
    length is recorded. Rows above a new column end before it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, None)
        self._columns = ["step"]

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one row; cells of numbers that are not finite or not of this row are empty."""
        added = [key for key in values if key not in self._columns]
        if added:
            self._widen(added)
        cells = [values.get(key, math.nan) for key in self._columns[1:]]
        self.write(_line([step, *(cell if math.isfinite(cell) else "" for cell in cells)]))

    def mark(self) -> dict[str, int]:
        """Record nothing, once the file is on disk."""
        super().mark()
        return {}

    def _widen(self, added: list[str]) -> None:
        """Put further columns into the head, in a new file that takes the place of the old one."""
        columns = [*self._columns, *added]
        unfinished = temporary(self.path)
        try:
            with unfinished.open("xb") as wider, opened(self.path) as narrow:
                wider.write(_line(columns))
                narrow.readline()
                shutil.copyfileobj(narrow, wider)
            unfinished.replace(self.path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
        self._open.close()
        self._open = self.path.open("ab")
        self._columns = columns


def _line(cells: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


@LOGGERS.register
class Csv(Log):
    """metrics.csv, with the numbers of metrics.jsonl."""

    name: Literal["csv"]

    file, kept_as = "metrics.csv", "metrics.earlier-{}.csv"

    def open(self, run: LoggedRun) -> Logger:
        """Return an empty table."""
        return Table(run.folder / self.file)
