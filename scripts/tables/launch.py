"""Commands of ganctl as processes side by side, all of which one Ctrl-C stops well."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

LOOK_EVERY = 1.0
"""Seconds between looks at a command that is watched."""

ALONE = threading.Lock()
"""What measures runs computes in this process, which is to do one thing at a time."""

PROGRAM = (sys.executable, "-m", "ganctl")
STOPPED = (128 + signal.SIGTERM, -signal.SIGTERM)
"""Exit codes of a command that was told to stop: after saving, or before it had begun."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, the last line of its standard error, its life in s."""

    code: int
    told: str
    seconds: float


class Launcher(Protocol):
    """What runs commands of ganctl."""

    def run(self, words: Sequence[str]) -> Ended:
        """Run a command to its end."""

    def stop(self) -> None:
        """Let the commands that run save and end, and start no other."""


class Processes:
    """Runs each command in a process of its own, on one thread.

    Each is the head of a session, so that a terminal's Ctrl-C reaches it only through `stop`: ganctl takes a
    second signal as a wish to end without saving. What `stop` sends is SIGTERM, since SIGINT is ignored by all
    that a script has put in the background.
    """

    def __init__(self, program: Sequence[str] = PROGRAM) -> None:
        self._program = program
        self._running: set[subprocess.Popen[str]] = set()
        self._stopping = False
        self._lock = threading.Lock()

    def run(self, words: Sequence[str]) -> Ended:
        """Run a command to its end; where all were told to stop, it does not start and has ended so."""
        return self.watched(words, lambda process: False)

    def watched(self, words: Sequence[str], enough: Callable[[int], bool]) -> Ended:
        """Run a command to its end; send it SIGTERM once `enough` of its process, asked each second, is true."""
        started = time.monotonic()
        with self._lock:
            if self._stopping:
                return Ended(-signal.SIGTERM, "stopped before it began", 0.0)
            process = subprocess.Popen(
                [*self._program, *words],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
                start_new_session=True,
            )
            self._running.add(process)
        told, stopped = None, False
        while told is None:
            try:
                _, told = process.communicate(timeout=LOOK_EVERY)
            except subprocess.TimeoutExpired:
                if enough(process.pid) and not stopped:
                    process.send_signal(signal.SIGTERM)
                    stopped = True
        with self._lock:
            self._running.remove(process)
        lines = told.strip().splitlines()
        return Ended(process.returncode, lines[-1] if lines else "", time.monotonic() - started)

    def stop(self) -> None:
        """Send SIGTERM to every process that runs, again at each call, and let none begin."""
        with self._lock:
            self._stopping = True
            for process in self._running:
                process.send_signal(signal.SIGTERM)
