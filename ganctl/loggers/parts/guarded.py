"""Logs that may fail: it is reported once, and ends or delays no run."""

import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from ganctl.loggers.logger import Log, LoggedRun, Logger, Size
from ganctl.runtime.console import say

MOST_WAITING = 20_000
"""Calls that wait for a slow log before it is given up."""

LONGEST_CLOSE = 30.0
"""Seconds in which a slow log may end when its run has ended."""


def open_log(key: str, log: Log, run: LoggedRun) -> Logger:
    """Return the opened log of a run, of which only what must stop the run comes through.

    That is every error of a vital log, and `OSError` of a file in the run's folder, whose disk holds checkpoints.
    """
    if log.vital:
        return log.open(run)
    return Background(key, log, run) if log.distant else Guarded(key, log, run)


class Guarded(Logger):
    """Another log, until its first error; by the next process of the run, it is opened again."""

    def __init__(self, key: str, log: Log, run: LoggedRun) -> None:
        self._key = key
        self._stops = OSError if log.file else ()
        self._failed = False
        self._log: Logger | None = None
        self._start(partial(log.open, run))

    def _start(self, opening: Callable[[], Logger]) -> None:
        try:
            self._log = opening()
        except self._stops:
            raise
        except Exception as error:
            self._fail(_told(error))

    def _do(self, name: str, *given: Any) -> Any:
        """Call a method of the log, unless it has failed."""
        if self._failed:
            return None
        try:
            return getattr(self._log, name)(*given)
        except self._stops:
            raise
        except Exception as error:
            self._fail(_told(error))

    def _fail(self, why: str) -> None:
        self._failed = True
        say(
            f"logs.{self._key}: failed ({why}); the run goes on without it, and the next time that it is resumed "
            "what is missing there is logged again"
        )

    @property
    def behind(self) -> bool:  # type: ignore[override]
        """Whether the log is."""
        return self._log is not None and self._log.behind

    def begin(self, run: LoggedRun) -> None:
        """Let the log begin."""
        self._do("begin", run)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Let the log write numbers."""
        self._do("scalars", step, values)

    def image(self, step: int, png: bytes, size: Size) -> None:
        """Let the log write an image."""
        self._do("image", step, png, size)

    def best(self, step: int, name: str, value: float) -> None:
        """Let the log write the best score."""
        self._do("best", step, name, value)

    def mark(self) -> dict[str, int]:
        """Return that of the log; one that has failed records nothing, and so begins again when it is opened."""
        return self._do("mark") or {}

    def close(self, status: str) -> None:
        """Let the log end."""
        self._do("close", status)


class Background(Guarded):
    """Another log, which a thread of its own opens and writes; what it fails with is reported by the caller's."""

    behind = True

    def _start(self, opening: Callable[[], Logger]) -> None:
        self._waiting: queue.Queue[tuple[str, tuple[Any, ...]] | None] = queue.Queue(MOST_WAITING)
        self._error: str | None = None
        self._thread = threading.Thread(target=self._work, args=(opening,), name=f"logs.{self._key}", daemon=True)
        self._thread.start()

    def _work(self, opening: Callable[[], Logger]) -> None:
        try:
            log = opening()
            while (call := self._waiting.get()) is not None:
                name, given = call
                getattr(log, name)(*given)
        except Exception as error:
            self._error = _told(error)

    def _do(self, name: str, *given: Any) -> Any:
        if self._error is not None and not self._failed:
            self._fail(self._error)
        if not self._failed:
            try:
                self._waiting.put_nowait((name, given))
            except queue.Full:
                self._fail(f"{MOST_WAITING:,} lines wait for it")

    def mark(self) -> dict[str, int]:
        """Record nothing: what such a log holds, it tells itself."""
        return {}

    def close(self, status: str) -> None:
        """Let the thread end the log, in limited time."""
        self._do("close", status)
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        if not self._failed:
            self._thread.join(LONGEST_CLOSE)
        if self._thread.is_alive() and not self._failed:
            self._fail(f"not all was sent within {LONGEST_CLOSE:.0f} seconds of the end")
        elif self._error is not None and not self._failed:
            self._fail(self._error)


def _told(error: Exception) -> str:
    """Return an error and the first line of its text."""
    first, *_ = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__
