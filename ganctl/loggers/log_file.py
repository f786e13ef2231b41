"""A log file that only grows: cut to the length that a checkpoint recorded, then continued."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ganctl.runtime.bounded import opened
from ganctl.runtime.console import say

Intact = Callable[[BinaryIO, int], int]
"""From a file and its length to the length up to its last intact entry."""


class LogFile:
    """What loggers of one file share: the file, open for appending; every method raises `OSError`."""

    def __init__(self, path: Path, length: int | None, intact: Intact) -> None:
        cut(path, length, intact)
        self._name = path.name
        self._file = path.open("ab")

    def write(self, content: bytes) -> None:
        """Append bytes at once."""
        self._file.write(content)
        self._file.flush()

    def lengths(self) -> dict[str, int]:
        """Return the file's length in bytes by its name, after everything written has reached the disk."""
        os.fsync(self._file.fileno())
        return {self._name: os.fstat(self._file.fileno()).st_size}

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def cut(path: Path, length: int | None, intact: Intact) -> None:
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
            kept = intact(file, there)
        os.truncate(path, kept)
        say(f"{path}: {length - kept:,} bytes that were logged earlier are missing; the run goes on without them")
