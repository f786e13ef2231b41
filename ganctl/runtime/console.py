"""What people read in the terminal: plain lines, and progress bars where there is someone to watch."""

import os
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import datetime
from pathlib import Path
from typing import TextIO, TypeVar

from ganctl.errors import GanctlError, PeerError, Stopped, one_line
from ganctl.runtime.job import rank_in_job

T = TypeVar("T")

PLAIN_SECONDS = 10.0
"""How often work reports its progress where the output is not a terminal."""

_recording: list[TextIO] = []
_silent: list[bool] = []


def say(line: str) -> None:
    """Print one line to standard output at once, escaped where a terminal or its encoding cannot show it."""
    if _silent:
        return
    line = one_line(line)
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)
    for file in _recording:
        file.write(f"{datetime.now().isoformat(' ', 'seconds')}  {line}\n")
        file.flush()


def report(error: GanctlError | Stopped) -> int:
    """Print an error as one line on standard error, unless another process says it; return its exit code."""
    if error.silent if isinstance(error, PeerError) else rank_in_job() > 0:
        return error.exit_code
    encoding = sys.stderr.encoding or "utf-8"
    print(f"ganctl: {one_line(str(error))}".encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)
    return error.exit_code


def watched() -> bool:
    """Return whether progress bars are shown: to a terminal."""
    return sys.stdout.isatty() and not _silent


@contextmanager
def silenced() -> Iterator[None]:
    """Show and record nothing of what is reported within the block."""
    _silent.append(True)
    try:
        yield
    finally:
        _silent.pop()


@contextmanager
def aside() -> Iterator[None]:
    """Report on standard error within the block: standard output is for a document."""
    with redirect_stdout(sys.stderr):
        yield


@contextmanager
def recorded(path: Path) -> Iterator[None]:
    """Append the lines of the block to a file too, each with its time."""
    file = path.open("a", encoding="utf-8", errors="backslashreplace")
    _recording.append(file)
    try:
        yield
    finally:
        _recording.remove(file)
        with suppress(OSError):  # on a full disk; what could not be written has been reported
            file.close()


def track(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield the items and show how far they are: a bar in a terminal, else a line every ten seconds."""
    if watched():
        from rich.progress import track as rich_track

        yield from rich_track(items, description=what, total=total, transient=True)
        return
    started = reported = time.monotonic()
    for number, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - reported >= PLAIN_SECONDS:
            reported = now
            say(f"{what}: {number:,} of {total:,} ({number / (now - started):,.0f}/s)")


def shell_word(path: Path) -> str:
    """Return a path as one word of one line that a shell reads as it is."""
    text = str(path)
    if text.isprintable():
        return shlex.quote(text)
    marks = {ord(c): "".join(f"\\x{byte:02x}" for byte in os.fsencode(c)) for c in text if not c.isprintable()}
    return "$'" + text.translate(marks | {ord("\\"): "\\\\", ord("'"): "\\'"}) + "'"


def clock(seconds: float) -> str:
    """Return a duration as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
