"""A log that is a file in the run's folder: it only grows, and is cut to the length that a checkpoint recorded."""

import os
from pathlib import Path
from typing import BinaryIO

from ganctl.loggers.logger import Logger
from ganctl.runtime.bounded import opened
from ganctl.runtime.console import say


class LogFile(Logger):
    """Logs to a file, which a resumed run continues.

    `length` is the length in bytes that a checkpoint recorded: what was logged after it is cut off, so that no
    step is there twice. None begins an empty file. Writes happen in the caller's thread, so that a full disk is
    noticed there: every method raises `OSError`.
    """

    def __init__(self, path: Path, length: int | None) -> None:
        self.path = path
        self.behind = length is None
        self.cut(path, length)
        self._open = path.open("ab")

    def intact(self, file: BinaryIO, length: int) -> int:
        """Return the length of a file up to its last intact entry, holding a bounded part of it in memory."""
        raise NotImplementedError

    def write(self, content: bytes) -> None:
        """Append bytes at once."""
        self._open.write(content)
        self._open.flush()

    def mark(self) -> dict[str, int]:
        """Return the file's length in bytes, after everything logged has reached the disk."""
        os.fsync(self._open.fileno())
        return {self.path.name: os.fstat(self._open.fileno()).st_size}

    def close(self, status: str) -> None:
        """Close the file."""
        self._open.close()

    def cut(self, path: Path, length: int | None) -> None:
        """Cut a log to a length, or remove it if none is recorded; report it if some of it is missing."""
        if length is None:
            path.unlink(missing_ok=True)
            return
        there = path.stat().st_size if path.exists() else 0
        if there > length:
            os.truncate(path, length)
        elif there < length:
            path.touch()
            with opened(path) as file:
                kept = self.intact(file, there)
            os.truncate(path, kept)
            lost = f"{length - kept:,} bytes that were logged earlier are missing"
            say(f"{path}: {lost}; the run goes on without them")


def to_last_line(file: BinaryIO, length: int) -> int:
    """Return the length of a file of text up to its last line break."""
    block, end = 1 << 16, length
    while end > 0:
        start = max(0, end - block)
        file.seek(start)
        if (found := file.read(end - start).rfind(b"\n")) >= 0:
            return start + found + 1
        end = start
    return 0
