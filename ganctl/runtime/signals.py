"""Signals: those that end the process, at once or after the state is saved, and those that ask for a save."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ganctl.errors import Stopped

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGXCPU)
SAVING = (signal.SIGUSR1, signal.SIGUSR2)


def lives(process: int) -> bool:
    """Return whether a process of this machine lives, whoever's it is."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


class Signals:
    """Context in which SIGINT, SIGTERM, SIGHUP and SIGXCPU raise `Stopped`, or are noted while `deferred` is true.

    SIGUSR1 and SIGUSR2, by which cluster schedulers warn of the end, are only noted in `save_wanted`, unless the
    program has handlers of its own for them; under `then`, these are called once the state is saved, as a job's
    that SLURM is asked to queue again. A signal that is ignored, as SIGHUP is under nohup, stays ignored.
    A second signal of the same kind, while deferred, raises at once; not SIGXCPU, which comes every second once a
    limit on processor time is passed. Outside the main thread, where Python allows no handlers, it does nothing.
    """

    def __init__(self, *, then: bool = False) -> None:
        self.deferred = False
        self._then = then
        self.received: int | None = None
        self.save_wanted: signal.Signals | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
            heeded += [number for number in SAVING if self._then or signal.getsignal(number) == signal.SIG_DFL]
            self._previous = {number: signal.signal(number, self._handle) for number in heeded}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def saved(self) -> None:
        """Note that what a signal asked to save is saved, and do what else the program does at that signal.

        While it does, the program has its own handlers: SLURM sends SIGTERM to a job that has itself queued again.
        """
        asked, self.save_wanted = self.save_wanted, None
        handler = self._previous.get(asked) if asked is not None else None
        if callable(handler):
            self.__exit__()
            handler(asked, None)
            self.__enter__()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Note signals within the block, and raise `Stopped` after it.

        For imports: the C code of NumPy and torch swallows an exception, and leaves half a module.
        """
        self.deferred = True
        yield
        self.deferred = False
        if self.received is not None:
            raise Stopped(self.received)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number in SAVING:
            self.save_wanted = signal.Signals(number)
            return
        if not self.deferred or (self.received == number and number != signal.SIGXCPU):
            raise Stopped(number)
        self.received = number
