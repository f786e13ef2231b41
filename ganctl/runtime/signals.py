"""Signals that end the process: at once while nothing is at stake, else after the state is saved."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

from ganctl.errors import Stopped

ENDING = (signal.SIGINT, signal.SIGTERM)


class EndingSignals:
    """Context in which SIGINT and SIGTERM raise `Stopped`, or are only noted while `deferred` is true.

    A second signal of the same kind, while deferred, raises at once. Outside the main thread, where Python
    allows no handlers, it does nothing.
    """

    def __init__(self) -> None:
        self.deferred = False
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> "EndingSignals":
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._handle) for number in ENDING}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.deferred or self.received == number:
            raise Stopped(number)
        self.received = number
