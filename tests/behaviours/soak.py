"""Runs killed at random moments and gone on with by the same command, compared with one that never was.

Moments are drawn over the whole life of a process, so that they hit its start, the loading of data, steps,
pictures, saves and the end. A process is killed by SIGKILL from outside. It is forked off one that has imported
torch, so that there is more to kill than imports; every tenth is started from nothing.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import count, cycle, islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from ganctl import rules
from ganctl.errors import CheckpointError, ConfigError
from tests.behaviours.kills import PHASES, RUN
from tests.behaviours.runs import files, last_step, start, traces, whole_steps
from tests.behaviours.warm import Warm
from tests.game.games import small_config, small_words
from tests.game.parts import DATA, pairwise, prepare, words_of

KILLS_A_JOB = 5
COLD_EVERY = 10
"""Every so many kills, the process is started from nothing."""

EVERY_RUN = [
    "train.steps=60",
    "logging.every=1",
    "sample.every=12",
    "sample.num=4",
    "device.threads=1",
    "name=run",
]
EVERY_FIFTH = ["checkpoint.every=5"]
CONFIGS = {
    "digits fp32 r1 dropout": [
        *small_words("penalty=[r1]", "penalty.r1.every=4", "model.discriminator.dropout=0.2"),
        *EVERY_FIFTH,
    ],
    "folder bf16 feature_matching": [
        *small_words(
            *DATA["folder"].split()[1:],
            "device.precision=bf16",
            "auxiliary=[feature_matching]",
            "model.generator.norm=batch",
            data="folder",
        ),
        *EVERY_FIFTH,
    ],
    "ring fp64 wgan_gp rmsprop": [
        *small_words(
            "loss=wgan_gp",
            "optimizer=rmsprop",
            "optimizer.momentum=0.9",
            "device.precision=fp64",
            "train.accumulate=2",
            model="mlp",
            data="ring",
        ),
        *EVERY_FIFTH,
    ],
    "array fp16 hinge sgd packs": [
        *small_words(
            *DATA["array"].split()[1:],
            "loss=hinge",
            "train.pack=2",
            "optimizer=sgd",
            "optimizer.momentum=0.9",
            "device.precision=fp16",
            "schedule.learning_rate.shape=cosine",
            "schedule.learning_rate.warmup=5",
            data="array",
        ),
        *EVERY_FIFTH,
    ],
    "saves of 10 MB at each step": [
        *small_words("model.generator.hidden=[512,512]", "optimizer=adamw", model="mlp"),
        "checkpoint.every=1",
        "checkpoint.keep=1",
    ],
}
"""What is killed by default, by name."""


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


def matrix() -> dict[str, list[str]]:
    """Return the pairwise cases of the registries as configs; what the rules ask of a critic is added."""
    configs = {}
    for number, case in enumerate(pairwise(), 1):
        model, data, words = words_of(case)
        try:
            rules.check(small_config(*words, *EVERY_RUN, model=model, data=data))
        except ConfigError:
            words += ["model.discriminator.norm=spectral"]
        configs[f"case {number:02d}"] = [*small_words(*words, model=model, data=data), *EVERY_FIFTH]
    return configs


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


def table(rows: list[Row]) -> str:
    """Return the rows and their totals as plain text."""
    total = Row("total")
    for row in rows:
        total.add(row)
    phases = [phase for phase in PHASES if phase in total.where]
    width = max(len(row.config) for row in [*rows, total])
    heads = ["runs", "kills", "cold", *phases, "lost", "differing"]
    lines = [" " * width + "".join(f"  {head}" for head in heads)]
    for row in [*rows, total]:
        numbers = [
            row.runs,
            row.kills,
            row.cold,
            *(row.where.get(phase, 0) for phase in phases),
            row.lost,
            row.differing,
        ]
        cells = "".join(f"  {number:>{len(head)}}" for number, head in zip(numbers, heads, strict=True))
        lines.append(f"{row.config:{width}}{cells}")
    return "\n".join(lines)


def main() -> int:
    """Print the table; return 1 if any run was lost or differs."""
    parser = argparse.ArgumentParser("scripts/soak", description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--matrix", action="store_true", help="kill runs of the whole pairwise matrix instead")
    parser.add_argument("--processes", type=int, default=2, help="runs at once")
    parser.add_argument("--json", type=Path, help="write what was counted to this file too")
    options = parser.parse_args()
    configs = matrix() if options.matrix else CONFIGS
    started = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="ganctl-soak-"))
    with ExitStack() as stack:
        warms = [stack.enter_context(Warm()) for _ in range(options.processes)]
        rows = soak(configs, options.kills, options.seed, warms, work)
    failed = sum(row.lost + row.differing for row in rows)
    print(table(rows))
    kept = f"; kept in {work}" if failed else ""
    print(f"{time.monotonic() - started:.0f} s, seed {options.seed}: {failed} runs lost or differing{kept}")
    for row in rows:
        for line in row.kept:
            print(line)
    if options.json is not None:
        about = {"kills": options.kills, "seed": options.seed, "matrix": options.matrix, "configs": configs}
        options.json.write_text(json.dumps(about | {"rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    if not failed:
        shutil.rmtree(work)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
