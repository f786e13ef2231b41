"""Runs killed at random moments and gone on with by the same command, compared with one that never was.

Moments are drawn over the whole life of a process, so that they hit its start, the loading of data, steps,
pictures, saves and the end. A process is killed by SIGKILL from outside. It is forked off one that has imported
torch, so that there is more to kill than imports; every tenth is started from nothing.
"""

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count, cycle, islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ganctl.errors import CheckpointError
from scripts.soaks.configs import EVERY_RUN
from scripts.soaks.kills import RUN
from scripts.soaks.parts import prepare
from scripts.soaks.traces import files, last_step, start, traces, whole_steps
from scripts.soaks.warm import Warm

KILLS_A_JOB = 5
COLD_EVERY = 10
"""Every so many kills, the process is started from nothing."""


@dataclass
class Row:
    """What was done to one config, and what came of it."""

    config: str
    runs: int = 0
    kills: int = 0
    cold: int = 0
    """Of the kills, those of processes that were started from nothing."""
    where: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    differing: int = 0
    kept: list[str] = field(default_factory=list)
    """Folders of runs that were lost or differ, and why."""

    def add(self, other: "Row") -> None:
        """Add what another row of the same config counted."""
        for name in ("runs", "kills", "cold", "lost", "differing"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for phase, number in other.where.items():
            self.where[phase] = self.where.get(phase, 0) + number
        self.kept += other.kept


@dataclass(frozen=True)
class Reference:
    """An uninterrupted run: what it left, and how long a process lives, in s, forked and from nothing."""

    words: list[str]
    left: dict[str, Any]
    life: float
    cold_life: float


def reference(warm: Warm, folder: Path, words: list[str], startup: float) -> Reference:
    """Run a config without interruption; `startup` is what a process from nothing takes longer, in s."""
    command = ["train", *words, *EVERY_RUN]
    folder.mkdir()
    prepare(folder)
    ended = warm.run(folder, *command)
    if ended.code != 0:
        raise SystemExit(f"soak: the uninterrupted run failed: {ended.err}")
    run = folder / RUN
    return Reference(command, traces(run) | {"files": files(run.parent)}, ended.seconds, ended.seconds + startup)


def startup_seconds() -> float:
    """Return what a process takes for its imports."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", "import ganctl.commands.train"], check=True)
    return time.monotonic() - started


def told_by_folder(run: Path, before: dict[str, Any]) -> str:
    """Return where a killed process was, as far as its run's folder tells; `before` is run.json at its start."""
    status = _status(run)
    if status.get("process") == before.get("process"):
        return "start"
    if list(run.glob("checkpoints/.*")) or list(run.glob(".run.json*.tmp")):
        return "saving"
    if list(run.glob("samples/.*.tmp")):
        return "drawing"
    if status.get("status") == "complete":
        return "ending"
    newest = max(run.glob("checkpoints/step-*.safetensors"), default=None)
    saved = 0 if newest is None else int(newest.stem.removeprefix("step-"))
    return "between steps" if last_step(run) > saved else "opening the run"


def _status(run: Path) -> dict[str, Any]:
    status: dict[str, Any] = json.loads((run / "run.json").read_text()) if (run / "run.json").exists() else {}
    return status


class Killer:
    """Kills runs of one config as often as it is told, and goes on with each."""

    def __init__(self, warm: Warm, name: str, whole: Reference, dice: random.Random) -> None:
        self.warm = warm
        self.whole = whole
        self.dice = dice
        self.row = Row(name)

    def play(self, folder: Path, kills: int, first: int) -> Row:
        """Kill runs in folders below `folder`, `kills` times in all; `first` is the number of the first kill.

        Folders of runs that are lost or differ are kept; a lost one is the last.
        """
        for number in count():
            lost = self.row.lost
            place = folder / f"run-{number}"
            place.mkdir(parents=True)
            prepare(place)
            self.row.runs += 1
            trouble = self._run(place, kills, first)
            if trouble is None:
                shutil.rmtree(place)
            else:
                self.row.kept.append(f"{place}: {trouble}")
            if self.row.kills >= kills or self.row.lost > lost:
                break
        return self.row

    def _run(self, place: Path, kills: int, first: int) -> str | None:
        """Kill one run until it ends, or has been killed often enough; return what is wrong with it."""
        run, good = place / RUN, 0
        while True:
            alive = self.row.kills < kills
            cold = alive and (first + self.row.kills) % COLD_EVERY == 0
            code, said = self._process(place, alive=alive, cold=cold)
            if code not in (0, -signal.SIGKILL):
                self.row.lost += 1
                return f"exit code {code}: {said}"
            try:
                steps = whole_steps(run)
            except CheckpointError as error:
                self.row.lost += 1
                return str(error)
            if max(steps, default=0) < good:
                self.row.lost += 1
                return f"the checkpoint of step {good} is gone"
            good = max(steps, default=0)
            if code == 0:
                break
        left = traces(run) | {"files": files(run.parent)}
        wrong = [key for key, value in self.whole.left.items() if left[key] != value]
        self.row.differing += bool(wrong)
        return f"differs in {', '.join(wrong)}" if wrong else None

    def _process(self, place: Path, *, alive: bool, cold: bool) -> tuple[int, str]:
        """Run the command once, kill it at a random moment if `alive`; return its exit code and its last words."""
        if not alive:
            ended = self.warm.run(place, *self.whole.words)
            return ended.code, ended.err
        moment = self.dice.uniform(0, self.whole.cold_life if cold else self.whole.life)
        if cold:
            code, where, said = self._cold(place, moment)
        else:
            ended = self.warm.run(place, *self.whole.words, after=moment)
            code, where, said = ended.code, ended.phase, ended.err
        if code == -signal.SIGKILL:
            self.row.kills += 1
            self.row.cold += cold
            self.row.where[where] = self.row.where.get(where, 0) + 1
        return code, said

    def _cold(self, place: Path, moment: float) -> tuple[int, str, str]:
        before = _status(place / RUN)
        process = start(place, *self.whole.words)
        try:
            _, said = process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
        return process.returncode, told_by_folder(place / RUN, before), said


@dataclass(frozen=True)
class Job:
    """Some kills of one config."""

    number: int
    config: str
    kills: int
    first: int


def jobs(configs: dict[str, list[str]], kills: int) -> list[Job]:
    """Return as many jobs as hold so many kills, over the configs in turn."""
    each = max(1, min(KILLS_A_JOB, kills // len(configs)))
    sizes = [min(each, kills - done) for done in range(0, kills, each)]
    names = islice(cycle(configs), len(sizes))
    return [Job(n, name, size, 1 + n * each) for n, (name, size) in enumerate(zip(names, sizes, strict=True))]


def soak(configs: dict[str, list[str]], kills: int, seed: int, warms: list[Warm], work: Path) -> list[Row]:
    """Kill runs of the configs so many times in all, in as many processes at once as are warm; return the rows."""
    startup = startup_seconds() if kills >= COLD_EVERY else 0.0
    todo = jobs(configs, kills)
    used = {job.config: configs[job.config] for job in todo}
    rows = {name: Row(name) for name in used}
    idle: SimpleQueue[Warm] = SimpleQueue()
    for warm in warms:
        idle.put(warm)

    def refer(number: int, name: str) -> Reference:
        warm = idle.get()
        try:
            return reference(warm, work / f"reference-{number}", used[name], startup)
        finally:
            idle.put(warm)

    def play(job: Job) -> Row:
        warm = idle.get()
        try:
            killer = Killer(warm, job.config, wholes[job.config], random.Random(f"{seed}-{job.number}"))
            return killer.play(work / f"job-{job.number}", job.kills, job.first)
        finally:
            idle.put(warm)

    started, done = time.monotonic(), 0
    with ThreadPoolExecutor(len(warms)) as pool:
        wholes = dict(zip(used, pool.map(refer, range(len(used)), used), strict=True))
        for row in pool.map(play, todo):
            rows[row.config].add(row)
            done += row.kills
            verdict = f"{done:4} of {kills} kills, {time.monotonic() - started:5.0f} s: {row.config}: "
            print(verdict + ("; ".join(row.kept) or "equal"), file=sys.stderr, flush=True)
    return list(rows.values())
