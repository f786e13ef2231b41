"""Standard output and standard error that never end the work: what cannot be shown is escaped or dropped."""

import errno
import io
import os
import select
import sys
from typing import Any


class Sink(io.FileIO):
    """The bytes of a stream; once its reader, terminal or disk is gone, they are dropped without a word."""

    def __init__(self, handle: int) -> None:
        super().__init__(handle, "w", closefd=False)
        self._lost = False

    def write(self, content: Any, /) -> int:
        """Write what can be written, and return the length of all of it."""
        left = memoryview(content).cast("B")
        while len(left) and not self._lost:
            try:
                left = left[os.write(self.fileno(), left) :]
            except BlockingIOError:
                select.select([], [self.fileno()], [])
            except OSError as error:
                self._lost = error.errno != errno.EINTR
        return len(memoryview(content).cast("B"))


def protect() -> None:
    """Make this process's standard streams ones that never fail.

    A stream that is closed leads nowhere; else the next file that is opened would take its number, and with it
    what libraries print.
    """
    for handle, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, mode)
    sys.stdout, sys.stderr = (_tolerant(stream, handle) for stream, handle in ((sys.stdout, 1), (sys.stderr, 2)))


def _tolerant(stream: Any, handle: int) -> io.TextIOWrapper:
    if stream is not None:
        stream.flush()
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return io.TextIOWrapper(io.BufferedWriter(Sink(handle)), encoding, "backslashreplace", line_buffering=True)
