"""FID over seconds of training: the defaults of ganctl beside other recipes, on four sets of images."""

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from ganctl.config import train_config
from ganctl.errors import GanctlError
from ganctl.folders.run_folder import RunFolder
from scripts.tables import budget
from scripts.tables.budget import Watching
from scripts.tables.few import PICTURES, copy_pictures
from scripts.tables.launch import ALONE, STOPPED
from scripts.tables.quality_rows import ROWS, SETS, Images, Places, Row
from scripts.tables.table import command

NAME = "time_to_quality"
SEEDS, SAMPLES = 3, 10_000
PLAIN = (sys.executable, "-m", "scripts.tables.plain_rows")
"""The program that trains the rows without words of ganctl."""


@dataclass(frozen=True)
class Work:
    """A row trained on a set from one seed."""

    row: Row
    images: Images
    seed: int
    seconds: float
    samples: int
    places: Places

    @cached_property
    def name(self) -> str:
        """The run's name, and its folder's: other settings train another run."""
        return f"{NAME}-{self.row.key}-{self.images.key}-{self.seed}-{self.settings}"

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        return RunFolder(Path("outputs", self.name))

    def train(self, places: Places | None = None) -> list[str]:
        """Return the words of a training by ganctl, on images in other places if they are given."""
        return ["train", f"name={self.name}", *self._settings(places or self.places)]

    def _settings(self, places: Places) -> list[str]:
        assert self.row.words is not None
        words = (*self.row.words, *places.words(self.images))
        saved = ("checkpoint.every=100", "checkpoint.keep_every=100")
        steps = () if any(word.startswith("experiment=") for word in words) else ("train.steps=1000000",)
        return [*words, *steps, *saved, "device.threads=1", f"seed={self.seed}"]

    def marks(self) -> list[float]:
        """Return the CPU seconds after which the run is measured."""
        return [*(mark for mark in self.row.marks if mark < self.seconds), self.seconds]

    @cached_property
    def settings(self) -> str:
        """A digest of all that the numbers depend on but the seed: of a loop's networks, or of a whole config."""
        asked = {"marks": self.marks(), "samples": self.samples}
        if self.row.words is None:
            from scripts.tables.plain_rows import LOOPS, WIDTH

            told = json.dumps([self.images.key, asdict(LOOPS[self.row.key]), WIDTH, asked])
            return hashlib.sha256(told.encode()).hexdigest()[:8]
        from scripts.tables import results
        from scripts.tables.runs import composed

        return results.settings(train_config(composed(["train", *self._settings(Places())])), asked)


def do(work: Work, launcher: Watching, plain: Watching) -> str:
    """Train a run, measure it, and enter it; return what came of it."""
    try:
        points = _plain(work, plain) if work.row.words is None else _ganctl(work, launcher)
    except GanctlError as error:
        return f"{work.name}: FAILED: {error}"
    if isinstance(points, str):
        return f"{work.name}: {points}"
    enter(work, points)
    return f"{work.name}: " + ", ".join(f"{fid:.3g} after {seconds:.0f} s" for seconds, _, fid in points)


Points = list[list[float]]
"""CPU seconds, steps and FID of each measurement."""


def _plain(work: Work, plain: Watching) -> Points | str:
    found = Path("outputs", f"{work.name}.json")
    asked = {
        "row": work.row.key,
        "images": work.images.key,
        "seed": work.seed,
        "marks": work.marks(),
        "samples": work.samples,
        "places": asdict(work.places),
        "out": str(found),
    }
    if not found.exists():
        found.parent.mkdir(exist_ok=True)
        ended = plain.run([json.dumps(asked)])
        if not found.exists():
            return "stopped" if ended.code in STOPPED else f"FAILED, exit code {ended.code}: {ended.told}"
    points: Points = json.loads(found.read_text())
    return points


def _ganctl(work: Work, launcher: Watching) -> Points | str:
    from scripts.tables import judge, quality_judge

    if (problem := budget.unfinished(work.name, work.train(), work.seconds, launcher)) is not None:
        return problem
    points: Points = []
    for step, seconds, path in measured(work):
        with ALONE:
            trained = judge.opened(path)
            samples = judge.drawn(trained, judge.latents_of(trained, work.samples), None)
            points.append([seconds, step, quality_judge.fid(work.images, work.places, samples)])
    return points


def measured(work: Work) -> list[tuple[int, float, Path]]:
    """Return the checkpoints to measure, each with its step and CPU seconds: the last ones before the marks."""
    spent = budget.spent(work.name)
    there = sorted(
        (spent.at.get(str(step), spent.seconds), step, path)
        for path in work.folder.checkpoints.files()
        for step in (int(path.stem.removeprefix("step-")),)
    )
    chosen: dict[int, tuple[int, float, Path]] = {}
    for mark in work.marks():
        before = [each for each in there if each[0] <= mark] if mark < work.seconds else there
        if before:
            seconds, step, path = before[-1]
            chosen[step] = (step, seconds, path)
    return list(chosen.values())


def _floor(work: Work) -> float:
    from scripts.tables import quality_judge

    with ALONE:
        return quality_judge.baseline(work.images, work.places, work.samples)


def enter(work: Work, points: Points) -> None:
    """Enter a run into the results."""
    from scripts.tables import results

    status: Mapping[str, Any] = {} if work.row.words is None else work.folder.read_status()
    record = {
        "name": work.name,
        "part": work.images.key,
        "row": work.row.key,
        "seed": work.seed,
        "status": "complete",
        "seconds": work.seconds,
        "samples": work.samples,
        "points": points,
        "floor": _floor(work),
        "settings": work.settings,
        "commands": [command(work.train(Places()))] if work.row.words is not None else [],
        "hardware": results.hardware(),
        "environment": status.get("environment", {}),
    }
    results.add(NAME, record)


def options_of(arguments: Sequence[str], rows: Sequence[Row] = ROWS) -> argparse.Namespace:
    """Return what the command line asks for; ends the process where that is not clear."""
    parser = argparse.ArgumentParser(
        prog=f"scripts/tables/{NAME}",
        description="Trains each row on each set for its CPU time on one thread, measures it on the way, and "
        f"writes docs/results/{NAME}.md. The same command again goes on with what is missing.",
    )
    keys, sets = [row.key for row in rows], [images.key for images in SETS]
    parser.add_argument("--mnist", help="folder that holds MNIST/raw; without it, MNIST is fetched into data/")
    parser.add_argument("--cifar", help="folder or .zip of CIFAR-10's images, train/<class>/… and test/<class>/…")
    parser.add_argument("--rows", default=",".join(keys), help=f"some of {','.join(keys)}")
    parser.add_argument("--data", default=",".join(sets), help=f"some of {','.join(sets)}")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="runs of each row, from seed 0 on")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, each on one thread; 2 unless given")
    parser.add_argument("--seconds", type=float, help="CPU seconds of a run, instead of those that are planned")
    parser.add_argument("--num", type=int, default=SAMPLES, help=f"samples that are measured; {SAMPLES}")
    parser.add_argument("--dry-run", action="store_true", help="print the commands and run none")
    parser.add_argument("--report", action="store_true", help="only rewrite the page from docs/results/")
    options = parser.parse_args(arguments)
    for option, known in (("rows", keys), ("data", sets)):
        chosen = getattr(options, option).split(",")
        for word in chosen:
            if word not in known:
                parser.error(f"--{option}: there is no '{word}'; there are {', '.join(known)}")
        setattr(options, option, chosen)
    if not (options.cifar or options.dry_run or options.report) and {"cifar", "horses"} & set(options.data):
        parser.error("--cifar: say where its images are, or leave cifar and horses out by --data")
    return options


def wanted(options: argparse.Namespace, rows: Sequence[Row] = ROWS) -> list[Work]:
    """Return the runs that the options ask for: all rows of a seed before the next seed."""
    cifar = str(Path(options.cifar).resolve()) if options.cifar else Places.cifar
    mnist = str(Path(options.mnist).resolve()) if options.mnist else None
    places = Places(mnist, cifar, str(PICTURES) if options.cifar else Places.horses)
    return [
        Work(row, images, seed, options.seconds or images.seconds, options.num, places)
        for seed in range(options.seeds)
        for images in SETS
        for row in rows
        if images.key in options.data and images in row.sets and row.key in options.rows
    ]


def missing(todo: Sequence[Work]) -> list[Work]:
    """Return the runs that are not in the results; their names tell their settings, too."""
    from scripts.tables import results

    there = {run["name"] for run in results.read(NAME)}
    return [work for work in todo if work.name not in there]


def decoded(todo: Sequence[Work]) -> None:
    """Decode the images of folders and zips into the cache, so that no run's seconds hold it."""
    from scripts.tables import quality_judge

    for images, places in {(work.images, work.places) for work in todo}:
        quality_judge.source(images, places).load()


def main(arguments: Sequence[str], launcher: Watching, plain: Watching, rows: Sequence[Row] = ROWS) -> int:
    """Do what the arguments ask; return 0 if all of it is in, 1 if not."""
    options = options_of(arguments, rows)
    todo = wanted(options, rows)
    if options.dry_run:
        for work in todo:
            print(command(work.train()) if work.row.words is not None else f"{work.name}: {work.row.told}")
        return 0
    from scripts.tables.quality_page import rewrite
    from scripts.tables.runs import side_by_side

    if not options.report:
        if options.cifar:
            copy_pictures(Path(options.cifar))
        left = missing(todo)
        decoded(left)
        side_by_side([partial(do, work, launcher, plain) for work in left], options.jobs, launcher, plain)
    rewrite(rows)
    return 0 if options.report or not missing(todo) else 1
