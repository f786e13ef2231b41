"""Signals: those that end the process, at once or after the state is saved, and the one that asks for a save."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from ganctl.errors import Stopped

ENDING = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
SAVING = (signal.SIGUSR1,) if hasattr(signal, "SIGUSR1") else ()


class Signals:
    """Context in which SIGINT, SIGTERM and SIGHUP raise `Stopped`, or are only noted while `deferred` is true.

    SIGUSR1, by which cluster schedulers warn of the end, sets `save_wanted` and nothing else. A signal that is
    being ignored, as SIGHUP is under nohup, stays ignored.

    A second signal of the same kind, while deferred, raises at once. Outside the main thread, where Python
    allows no handlers, it does nothing.
    """

    def __init__(self) -> None:
        self.deferred = False
        self.received: int | None = None
        self.save_wanted = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in (*ENDING, *SAVING) if signal.getsignal(number) != signal.SIG_IGN]
            self._previous = {number: signal.signal(number, self._handle) for number in heeded}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number in SAVING:
            self.save_wanted = True
            return
        if not self.deferred or self.received == number:
            raise Stopped(number)
        self.received = number
