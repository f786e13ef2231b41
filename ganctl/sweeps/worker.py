"""A job of a sweep in a process of its own: it prints to a log, shares the machine, and ends with its launcher."""

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import (
    AbstractContextManager,
    ExitStack,
    contextmanager,
    nullcontext,
    redirect_stderr,
    redirect_stdout,
)
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from filelock import FileLock, Timeout

from ganctl.command_line.jobs import Job
from ganctl.errors import BusyError, Stopped, explained
from ganctl.runtime.console import report
from ganctl.runtime.disk import make_folder
from ganctl.runtime.signals import Signals, lives
from ganctl.sweeps.sweep_table import Ended, SweepTable

Do = Callable[[Job, Signals], None]
"""Does a job of a command; raises what goes wrong."""

SECONDS = 0.5
"""Between two looks at whether the launcher still lives, and for a free share of the machine."""

PATIENCE = 60.0
"""Seconds for which a job waits for a run that another process trains, such as one that is just ending."""

STOP = ".stop"
"""The file in a sweep's folder that asks its jobs to save and end."""


@dataclass(frozen=True)
class SweepWorker:
    """Does the jobs of a sweep by their places in a list, each in whichever process calls.

    `share` is how many run on the machine at once, None if something else allots it. `launcher` is the process
    whose end ends the jobs, None if they go on without it.
    """

    jobs: Sequence[Job]
    do: Do
    folder: Path
    share: int | None
    launcher: int | None

    def __call__(self, place: int) -> Ended:
        """Do a job and add it to the sweep's table; whatever goes wrong with it is in what is returned."""
        job = self.jobs[place]
        if self._is_over():
            return Ended(128 + signal.SIGTERM, "the sweep was stopped before it began")
        make_folder(self.folder)
        watch = None if self.launcher in (None, os.getpid()) else Watch.of(self.launcher, self.folder)
        with ExitStack() as held:
            log = held.enter_context((self.folder / f"job-{job.number:04d}.log").open("a", encoding="utf-8"))
            held.enter_context(redirect_stdout(log))
            held.enter_context(redirect_stderr(log))
            if self.share is not None:
                take_share(self.folder, self.share)
            ended = self._attempt(job, nullcontext if watch is None else watch.heeded)
            SweepTable(self.folder).add(job, ended)
        return ended

    def _attempt(self, job: Job, heeded: Callable[[], AbstractContextManager[None]]) -> Ended:
        waited = time.monotonic() + PATIENCE
        while True:
            with Signals(then=True) as signals, heeded():
                ended = self._caught(job, signals)
            if not ended.busy or time.monotonic() > waited or self._is_over():
                return ended
            time.sleep(SECONDS)

    def _caught(self, job: Job, signals: Signals) -> Ended:
        try:
            return attempt(job, self.do, signals)
        except Stopped as stop:
            return Ended(report(stop), str(stop), found=job.found)
        except Exception as crash:
            traceback.print_exc()
            return Ended.of_crash(crash, job)

    def _is_over(self) -> bool:
        """Return whether the launcher has ended, or asks its jobs to end."""
        if self.launcher is None or os.getpid() == self.launcher:
            return False
        return (self.folder / STOP).exists() or not lives(self.launcher)


class Watch:
    """Watches, in a process that does jobs, over its launcher.

    Once that has ended, or asks for it, the job in progress is sent SIGTERM; a process that has none ends with its
    launcher, for the next one needs its share of the machine.
    """

    _of: ClassVar[dict[tuple[int, Path], "Watch"]] = {}

    @classmethod
    def of(cls, launcher: int, folder: Path) -> "Watch":
        """Return the only one of this process."""
        if (launcher, folder) not in cls._of:
            cls._of[launcher, folder] = cls(launcher, folder)
        return cls._of[launcher, folder]

    def __init__(self, launcher: int, folder: Path) -> None:
        self._launcher, self._folder = launcher, folder
        self._lock = threading.Lock()
        self._heeded = False
        threading.Thread(target=self._look, daemon=True).start()

    @contextmanager
    def heeded(self) -> Iterator[None]:
        """Return a context in which this process heeds SIGTERM."""
        with self._lock:
            self._heeded = True
        try:
            yield
        finally:
            with self._lock:
                self._heeded = False

    def _look(self) -> None:
        told = False
        while True:
            time.sleep(SECONDS)
            alive = lives(self._launcher)
            with self._lock:
                if not alive and not self._heeded:
                    os._exit(0)
                if not told and self._heeded and (not alive or (self._folder / STOP).exists()):
                    told = True
                    os.kill(os.getpid(), signal.SIGTERM)


def attempt(job: Job, do: Do, signals: Signals) -> Ended:
    """Do a job and return how it ended; a user's mistake is printed.

    Raises `Stopped`, and what is a programmer's mistake.
    """
    try:
        do(job, signals)
    except Exception as error:
        mistake = explained(error)
        return Ended(report(mistake), str(mistake), isinstance(mistake, BusyError), job.found)
    return Ended(0, found=job.found)


_shares: dict[Path, tuple[int, FileLock]] = {}
"""What this process has taken of each sweep's machine, for all the jobs it will do."""


def take_share(folder: Path, count: int) -> int:
    """Take one of `count` equal shares of the machine for this process, and wait while none is free.

    Its threads are the cores by `count`, unless OMP_NUM_THREADS says otherwise, and its GPU the one of its number.
    Torch must not have been imported. Returns the number, from 0.
    """
    while folder not in _shares:
        for number in range(count):
            lock = FileLock(folder / f".share-{number}")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            _shares[folder] = number, lock
            os.environ.setdefault("OMP_NUM_THREADS", str(max(1, len(os.sched_getaffinity(0)) // count)))
            _take_gpu(number)
            break
        else:
            time.sleep(SECONDS)
    return _shares[folder][0]


def _take_gpu(number: int) -> None:
    """Let this process see one of the visible GPUs, the first for number 0, in turns."""
    visible = [each for each in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if each]
    if not visible and "CUDA_VISIBLE_DEVICES" not in os.environ:
        from torch import cuda

        visible = [str(each) for each in range(cuda.device_count())]
    if visible:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible[number % len(visible)]
