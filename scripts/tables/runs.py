"""The runs of a table: which are complete, which are to be trained and measured, and doing that side by side."""

import json
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganctl.command_line import compose
from ganctl.commands.measuring.question import EvaluateCommand, evaluate_command
from ganctl.config import TrainConfig, train_config
from ganctl.errors import DivergenceError, GanctlError
from ganctl.folders.run_folder import RunFolder
from ganctl.runtime.console import clock
from scripts.tables import results
from scripts.tables.launch import STOPPED, Ended, Launcher
from scripts.tables.table import Job, Table

Say = Callable[[str], None]

LOOK_EVERY = 0.2
"""Seconds between looks at whether a signal has come."""


def composed(words: Sequence[str]) -> dict[str, Any]:
    """Return what `ganctl <words>` composes, as plain data.

    Raises `ConfigError` as that command would.
    """
    (job,) = compose.jobs(words[0], words[1:])
    return job.values()


@dataclass(frozen=True)
class Run:
    """A job with the config and the question that its words mean, and what its folder holds."""

    job: Job
    config: TrainConfig
    question: EvaluateCommand

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        return RunFolder(Path("outputs", self.job.name))

    def trained(self) -> bool:
        """Return whether the last step is done.

        Raises `ConfigError` if the folder holds a run with another config.
        """
        return self.folder.completed(self.config) is not None

    def diverged(self) -> bool:
        """Return whether the run has ended with numbers that are not finite, which it would do again."""
        return self.folder.read_status().get("status") == "diverged"

    def evaluation(self) -> results.Record | None:
        """Return the answer in evaluation.json to this very question about the last step, or None."""
        try:
            found = json.loads((self.folder.path / "evaluation.json").read_text())["evaluations"]
            step, asked = self.folder.read_status()["step"], self.question.asked()
            answers = [each for each in found if each["step"] == step and each["asked"] == asked]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return answers[-1] if answers else None

    def over(self) -> bool:
        """Return whether there is nothing left to do.

        Raises `ConfigError` if the folder holds a run with another config.
        """
        return (self.trained() and self.evaluation() is not None) or self.diverged()


def plan(jobs: Sequence[Job]) -> list[Run]:
    """Return the runs of a table's jobs.

    The words of a row are composed once, for its seeds differ in nothing else, and so is the question, which is
    the same for all. Raises `ConfigError` for words that mean no config.
    """
    configs: dict[str, TrainConfig] = {}
    runs = []
    question = evaluate_command(composed(jobs[0].evaluate)) if jobs else None
    for job in jobs:
        assert question is not None
        if job.group not in configs:
            configs[job.group] = train_config(composed(job.train))
        config = configs[job.group].model_copy(update={"seed": job.seed, "name": job.name})
        runs.append(Run(job, config, question))
    return runs


@dataclass(frozen=True)
class Done:
    """What came of a run: what was said of its times, and why it is not over, if it is not."""

    times: str
    problem: str | None = None
    stopped: bool = False


def work(run: Run, launcher: Launcher) -> Done:
    """Train a run, or go on with it, and measure it, each unless it is done."""
    try:
        return _work(run, launcher)
    except GanctlError as error:
        return Done("", str(error))


def _work(run: Run, launcher: Launcher) -> Done:
    times: list[str] = []
    if not run.trained():
        ended = launcher.run(run.job.train)
        times.append(f"trained in {clock(ended.seconds)}")
        if ended.code == DivergenceError.exit_code:
            return Done(f"{', '.join(times)}, diverged: {ended.told}")
        if ended.code != 0:
            return _broken(times, ended)
    if run.evaluation() is None:
        ended = launcher.run(run.job.evaluate)
        times.append(f"measured in {clock(ended.seconds)}")
        if ended.code != 0:
            return _broken(times, ended)
        if run.evaluation() is None:
            return Done(", ".join(times), "its evaluation.json has no answer to the question that was asked")
    return Done(", ".join(times))


def _broken(times: list[str], ended: Ended) -> Done:
    if ended.code in STOPPED:
        return Done(", ".join(times), stopped=True)
    return Done(", ".join(times), f"exit code {ended.code}: {ended.told}")


def enter(run: Run, say: Say) -> results.Record:
    """Enter a run that is over into the results of its table; return its record.

    One that is there with the same numbers stays as it is: it says on which machine the run was trained.
    """
    job = run.job
    evaluation = None if run.diverged() else run.evaluation()
    found = results.record(job, run.config, run.question.asked(), evaluation)
    entered = results.read(job.table.name)
    if found["status"] == "complete":
        results.keep_picture(job, [each for each in entered if each["settings"] == found["settings"]])
    for earlier in entered:
        if all(earlier[key] == found[key] for key in ("name", "settings", "status", "step", "numbers")):
            return earlier
    for name in results.add(job.table.name, found):
        say(f"{name} had other settings than {job.name} and is out of the table")
    return found


@contextmanager
def noted_interrupts() -> Iterator[list[int]]:
    """Note SIGINT, SIGTERM and SIGHUP in the list that is yielded, instead of ending by them, in the main thread.

    Noted rather than raised, for the second of two that come together would be raised while the first is heeded.
    """
    noted: list[int] = []
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {
            number: signal.signal(number, lambda number, frame: noted.append(number))
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def stopped_on_error(launcher: Launcher) -> Iterator[None]:
    """Stop what runs where the block fails, so that nothing waits hours to tell of it."""
    try:
        yield
    except BaseException:
        launcher.stop()
        raise


def side_by_side(calls: Sequence[Callable[[], str]], at_once: int, *launchers: Launcher) -> bool:
    """Do calls, so many at a time, and print what each returns; return whether a signal stopped them.

    On Ctrl-C and SIGTERM the launchers stop what they run; a call that comes afterwards starts nothing.
    """
    heeded = 0
    with noted_interrupts() as noted, ThreadPoolExecutor(at_once) as pool, ExitStack() as stopping:
        for launcher in launchers:
            stopping.enter_context(stopped_on_error(launcher))
        running = {pool.submit(call) for call in calls}
        while running:
            done, running = wait(running, LOOK_EVERY, FIRST_COMPLETED)
            for future in done:
                print(future.result(), flush=True)
            if len(noted) > heeded:
                heeded = len(noted)
                print("stopping: runs in progress are saved", flush=True)
                for launcher in launchers:
                    launcher.stop()
    return bool(noted)


class Shift:
    """All runs of a table that were asked for, a number of them at a time."""

    def __init__(self, table: Table, launcher: Launcher, say: Say) -> None:
        self.table = table
        self.launcher = launcher
        self.say = say
        self.stopped = False

    def run(self, runs: Sequence[Run], at_once: int) -> bool:
        """Do what is left of the runs; return whether all of them are in.

        On Ctrl-C and SIGTERM the running ones save and end. Folders that hold a run with another config are
        named and left alone.
        """
        left, finished = self._sort(runs)
        waiting = iter(left)
        running: dict[Future[Done], Run] = {}
        heeded = 0
        with noted_interrupts() as noted, ThreadPoolExecutor(at_once) as pool, stopped_on_error(self.launcher):
            while True:
                while not noted and len(running) < at_once and (run := next(waiting, None)) is not None:
                    running[pool.submit(work, run, self.launcher)] = run
                if not running:
                    break
                for future in wait(running, LOOK_EVERY, FIRST_COMPLETED).done:
                    run = running.pop(future)
                    finished += self._finish(run, future.result(), f"[{finished + 1}/{len(runs)}]")
                if len(noted) > heeded:
                    heeded = len(noted)
                    self.say("stopping: runs in progress are saved")
                    self.launcher.stop()
            self.stopped = bool(noted)
        return finished == len(runs)

    def _sort(self, runs: Sequence[Run]) -> tuple[list[Run], int]:
        """Enter the runs that are over; return what is left to do, and how many were over."""
        left, over = [], 0
        for run in runs:
            try:
                if run.over():
                    enter(run, self.say)
                    over += 1
                else:
                    left.append(run)
            except GanctlError as error:
                self.say(f"FAILED: {error}; or remove that folder")
        if over:
            self.say(f"{over} of {len(runs)} runs are in already")
        return left, over

    def _finish(self, run: Run, done: Done, count: str) -> bool:
        """Enter a run that is over, and say what came of it; return whether it is over."""
        name = run.job.name
        if done.stopped:
            self.say(f"{name}  {done.times}, stopped; the same command goes on")
            return False
        if done.problem is not None:
            self.say(f"{name}  {done.times}, FAILED: {done.problem}")
            return False
        found = enter(run, self.say)
        numbers = ", ".join(
            f"{column.heading} {column.text([value])}"
            for column in self.table.columns
            if found["numbers"] and (value := column.value(found)) is not None
        )
        self.say(f"{count} {name}  {done.times}" + (f"  {numbers}" if numbers else ""))
        return True
