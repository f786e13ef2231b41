"""What loggers share: a file that only grows, cut to the length that a checkpoint recorded and continued."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from ganctl.runtime.bounded import opened
from ganctl.runtime.console import say


class Logger:
    """Logs the numbers and images of one run to a file in its folder, which a resumed run continues.

    `lengths` are the byte lengths that a checkpoint recorded: what was logged after it is cut off, so that no step
    appears twice. An empty mapping starts an empty log. Writes happen in the caller's thread, so that a full disk
    is noticed there: every method raises `OSError`.
    """

    file: ClassVar[str]
    kept_as: ClassVar[str]
    """The file's name, but for a number, under which it is kept when a run begins again."""

    def __init__(self, folder: Path, lengths: Mapping[str, int]) -> None:
        self._cut(folder / self.file, lengths.get(self.file))
        self._open = (folder / self.file).open("ab")

    def config(self, config: Mapping[str, Any], identity: Mapping[str, Any], ordering: Sequence[str]) -> None:
        """Log the config once: the flattened keys that determine numbers, the tags by which runs can be sorted."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers of a step."""
        raise NotImplementedError

    def image(self, step: int, png: bytes, size: tuple[int, int]) -> None:
        """Log an image, the bytes of a PNG file of a size (height, width) in pixels; by default nothing."""

    def intact(self, file: BinaryIO, length: int) -> int:
        """Return the length of a file up to its last intact entry, holding a bounded part of it in memory."""
        raise NotImplementedError

    def write(self, content: bytes) -> None:
        """Append bytes at once."""
        self._open.write(content)
        self._open.flush()

    def length(self) -> int:
        """Return the file's length in bytes, after everything logged has reached the disk."""
        os.fsync(self._open.fileno())
        return os.fstat(self._open.fileno()).st_size

    def close(self) -> None:
        """Close the file."""
        self._open.close()

    def _cut(self, path: Path, length: int | None) -> None:
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
