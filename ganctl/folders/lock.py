"""The lock of a run folder, which one process holds while it trains in it."""

import fcntl
import os
from pathlib import Path

from ganctl.errors import MovedError


class FolderLock:
    """A lock on a file in a folder; the system frees it if its process dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / ".lock"
        self._handle: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises `BlockingIOError` if another process holds it, and `OSError`."""
        handle = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise
        self._handle = handle

    def release(self) -> None:
        """Give the lock back."""
        if self._handle is not None:
            fcntl.flock(self._handle, fcntl.LOCK_UN)  # also for children, which share it
            os.close(self._handle)
            self._handle = None

    def check_held(self) -> None:
        """Raise `MovedError` if the folder's name leads to another one than this process has locked.

        To be asked before anything is written, since that goes by name.
        """
        if self._handle is None:
            return
        try:
            if os.path.samestat(self._file.stat(), os.fstat(self._handle)):
                return
        except (FileNotFoundError, NotADirectoryError):
            pass
        raise MovedError(
            f"{self._folder}: was renamed, removed or replaced while this process trained in it, which stops and "
            "writes nothing more there; `ganctl resume <its new name>` goes on from its last checkpoint"
        )
