"""The course of a sweep: its jobs by batches, in this process or by a launcher, a line for each, and the table."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from rich.table import Table

from ganctl.command_line.jobs import Job, Sweep
from ganctl.errors import BusyError, ConfigError, Stopped
from ganctl.runtime.console import say
from ganctl.runtime.disk import make_folder
from ganctl.runtime.printing import console, plain
from ganctl.runtime.signals import Signals
from ganctl.sweeps.plans import batches_of
from ganctl.sweeps.settings import SweepSettings, settings_of
from ganctl.sweeps.sweep_table import Ended, Row, SweepTable, ended_of
from ganctl.sweeps.worker import SECONDS, STOP, Do, SweepWorker, attempt


def run_sweep(sweep: Sweep, do: Do, signals: Signals) -> int:
    """Do the jobs of a sweep; return 0, or the highest exit code of a job.

    A mistake of a user's ends its job, a signal all of them; a programmer's mistake in this process is raised
    after the other jobs. Jobs that failed in an earlier start are done again only if the settings say so.
    """
    settings = settings_of(sweep.settings)
    course = _Course(sweep, settings, do, signals)
    with ExitStack() as held:
        if not settings.launcher.here or settings.sweeper.name == "optuna":
            held.enter_context(_alone(sweep.folder))
        try:
            for batch in batches_of(sweep, settings):
                course.take(batch)
        finally:
            course.close()
    if course.crashes:
        raise course.crashes[0]
    return max((ended.code for _, ended in course.ended), default=0)


class _Course:
    """The jobs of a sweep so far."""

    def __init__(self, sweep: Sweep, settings: SweepSettings, do: Do, signals: Signals) -> None:
        self.ended: list[tuple[Job, Ended]] = []
        self.crashes: list[Exception] = []
        self._sweep, self._settings, self._do, self._signals = sweep, settings, do, signals
        self._table = SweepTable(sweep.folder)

    def take(self, jobs: Sequence[Job]) -> None:
        """Do jobs, but for those that are done, and those that failed before and are not to be done again."""
        earlier = self._table.earlier(jobs)
        left = []
        for job in jobs:
            before = earlier.get(job.title())
            if before is None or (before.failed and self._settings.sweeper.retry):
                left.append(job)
                continue
            again = "; sweeper.retry=true runs it again" if before.failed else ""
            say(f"{_told(job, before)}, as before{again}")
            job.found.update(before.found)
            self._end(job, before)
        if self._settings.launcher.here:
            for job in left:
                self._take_here(job)
        elif left:
            self._launch(left)

    def _take_here(self, job: Job) -> None:
        say(f"[{job.number:,}/{job.total:,}] {job.title()}")
        ended = Ended(1)
        try:
            ended = attempt(job, self._do, self._signals)
        except Stopped as stop:
            ended = Ended(stop.exit_code, str(stop), found=job.found)
            raise
        except Exception as crash:
            ended = Ended.of_crash(crash, job)
            self.crashes.append(crash)
        finally:
            if remark := self._table.add(job, ended):
                say(f"note    {remark}")
            self._end(job, ended)

    def _launch(self, jobs: Sequence[Job]) -> None:
        """Let the launcher do jobs, and say how each ended as soon as the table tells."""
        launcher, folder = self._settings.launcher, self._sweep.folder
        process = None if launcher.detached else os.getpid()
        make_folder(folder)
        (folder / STOP).unlink(missing_ok=True)
        say(f"{len(jobs):,} jobs by launcher={launcher.name}; their output is in {folder}/job-….log")
        work = SweepWorker(jobs, self._do, folder, launcher.jobs, process)
        try:
            with _reporting(self._table, jobs) as reported, self._stopping(folder, detached=launcher.detached):
                found = self._sweep.launch(work, len(jobs))
        except ConfigError:
            for job in jobs:
                if (before := self._table.earlier([job]).get(job.title())) is not None:
                    self._end(job, before)
            raise
        for job, ended in zip(jobs, found, strict=True):
            if job.title() not in reported:
                say(_told(job, ended))
            job.found.update(ended.found)
            self._end(job, ended)
        if self._signals.received is not None:
            raise Stopped(self._signals.received)

    @contextmanager
    def _stopping(self, folder: Path, *, detached: bool) -> Iterator[None]:
        """Let a signal ask the jobs to save and end; those that go on by themselves are left at once."""
        if detached:
            yield
            return

        def look() -> None:
            if self._signals.received is not None:
                (folder / STOP).touch()

        self._signals.deferred = True
        try:
            with _again_and_again(look):
                yield
        finally:
            self._signals.deferred = False

    def _end(self, job: Job, ended: Ended) -> None:
        job.found["ended"] = ended
        self.ended.append((job, ended))

    def close(self) -> None:
        """Complete the table, and print it and how many jobs succeeded, if there were any."""
        rows = self._table.rows()
        if rows:
            for job, ended in self.ended:
                if ended.failed:
                    self._table.add(job, ended)
            _print(self._table.rows())
        if self.ended:
            done = sum(ended.code == 0 for _, ended in self.ended)
            failed = [f"{job.title()} (exit {ended.code})" for job, ended in self.ended if ended.failed]
            left = len(self.ended) - done - len(failed)
            told = f"{done:,} done, {len(failed):,} failed" + (f": {', '.join(failed)}" if failed else "")
            say(told + (f"; {left:,} stopped, which the same command goes on with" if left else ""))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other process run the sweep meanwhile. Raises `BusyError` if one does."""
    make_folder(folder)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise BusyError(f"{folder}: another process runs this sweep; wait for it, or stop it") from None


def _told(job: Job, ended: Ended) -> str:
    """Return the line of a job that ended."""
    step, score = ended.found.get("step"), ended.found.get("score")
    told = ended.status
    told += f", step {int(step):,}" if step else ""
    told += f", score {float(score):.4g}" if score else ""
    told += f" ({ended.why})" if ended.why else ""
    return f"[{job.number:,}/{job.total:,}] {job.title()}: {told}"


@contextmanager
def _reporting(table: SweepTable, jobs: Sequence[Job]) -> Iterator[set[str]]:
    """Print a line for each job as soon as its row is in the table; yield the words of those that have one."""
    asked = {job.title(): job for job in jobs}
    before = {row["words"]: row for row in table.rows()}
    reported: set[str] = set()

    def look() -> None:
        for row in table.rows():
            words = row["words"]
            if words in asked and row != before.get(words):
                before[words] = row
                reported.add(words)
                say(_told(asked[words], ended_of(row)))

    try:
        with _again_and_again(look):
            yield reported
    finally:
        look()


@contextmanager
def _again_and_again(look: Callable[[], None]) -> Iterator[None]:
    """Call a function every `SECONDS` while the block lasts, in a thread."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(SECONDS):
            look()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _print(rows: Sequence[Row]) -> None:
    """Print words, status and score of each job."""
    table = Table("job", "words", "status", "step", "score")
    for row in rows:
        told = (row["job"], row["words"], row["status"], row["step"], row["score"][:8])
        table.add_row(*map(plain, told))
    console().print(table)
