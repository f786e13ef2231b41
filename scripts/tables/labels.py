"""Labels, codes and residual networks by CPU time: trains, measures checkpoints, writes docs/results/labels.md."""

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ganctl.errors import GanctlError
from ganctl.folders.run_folder import RunFolder
from scripts.tables import budget
from scripts.tables.budget import Watching
from scripts.tables.launch import ALONE, STOPPED
from scripts.tables.table import command
from scripts.tables.trials import CIFAR_CLASSES, NAME, QUESTIONS, SMALL_JUDGE, Question, Trial

INTERRUPTED = 130
JPEGS = "cifar10-jpg.zip"
"""What the commands on the page call the zip of CIFAR-10."""


@dataclass(frozen=True)
class Work:
    """A trial with the question that it is part of, the place of its data, and how many samples are judged."""

    question: Question
    trial: Trial
    place: tuple[str, ...]
    samples: int
    more: tuple[str, ...] = ()

    def train(self, place: tuple[str, ...] | None = None) -> list[str]:
        """Return the words of the training, with data in another place if one is given."""
        words = (*self.trial.words, *(self.place if place is None else place), *self.more)
        return ["train", f"name={self.trial.name}", *words, "device.threads=1", "seed=0"]

    def evaluate(self, checkpoint: Path) -> list[str]:
        """Return the words that measure a checkpoint."""
        asked = (f"metric=[{','.join(self.trial.metrics)}]", "metric/features=classifier", f"num={self.samples}")
        small = (SMALL_JUDGE,) if self.question.data == "cifar" else ()
        further = (*self.trial.asked, *small, *self.more_of_evaluate(), "device.threads=1")
        return ["evaluate", f"ckpt={checkpoint}", *asked, *further]

    def more_of_evaluate(self) -> tuple[str, ...]:
        """Return those of the added words that name the device."""
        return tuple(word for word in self.more if word.startswith("device"))

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        return RunFolder(Path("outputs", self.trial.name))

    @property
    def settings(self) -> str:
        """A digest of all that the numbers depend on."""
        told = json.dumps([self.train(()), self.trial.minutes, self.samples])
        return hashlib.sha256(told.encode()).hexdigest()[:8]


def options_of(questions: Sequence[Question], arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the command line asks for; ends the process where that is not clear."""
    parser = argparse.ArgumentParser(
        prog=f"scripts/tables/{NAME}",
        description="Trains each row for its CPU time on one thread, measures its checkpoints, and writes "
        f"docs/results/{NAME}.md. The same command again goes on; Ctrl-C saves what is being trained.",
    )
    rows = [trial.key for question in questions for trial in question.trials]
    parser.add_argument("--mnist", help="folder that holds MNIST/raw; without it, MNIST is fetched into data/")
    parser.add_argument("--cifar", help="folder or .zip of CIFAR-10's images, train/<class>/<number>.jpg")
    parser.add_argument("--rows", default=",".join(rows), help=f"some of {','.join(rows)}")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, each on one thread; 2 unless given")
    parser.add_argument("--minutes", type=float, help="CPU minutes of a run, instead of those that are planned")
    parser.add_argument("--num", type=int, default=10000, help="samples that are measured; 10000 unless given")
    parser.add_argument("--dry-run", action="store_true", help="print the commands and run none")
    parser.add_argument("--report", action="store_true", help="only rewrite the page from docs/results/")
    options = parser.parse_args(arguments)
    options.rows = options.rows.split(",")
    for row in options.rows:
        if row not in rows:
            parser.error(f"--rows: there is no '{row}'; there are {', '.join(rows)}")
    if options.jobs < 1:
        parser.error("--jobs: must be at least 1")
    colours = {trial.key for question in questions if question.data == "cifar" for trial in question.trials}
    if not (options.cifar or options.dry_run or options.report) and colours & set(options.rows):
        parser.error(f"--cifar: say where its images are, or leave {', '.join(sorted(colours))} out by --rows")
    return options


def place_of(question: Question, options: argparse.Namespace) -> tuple[str, ...]:
    """Return the words that name a question's data."""
    if question.data == "cifar":
        return colours_at(str(Path(options.cifar).resolve()) if options.cifar else JPEGS)
    return (f"data.root={Path(options.mnist).resolve()}", "data.download=false") if options.mnist else ()


def colours_at(path: str) -> tuple[str, ...]:
    """Return the words for CIFAR-10's training images in a folder or zip."""
    return ("data=folder", f"data.path={path}", "data.subfolder=train", "data.resolution=32")


def wanted(questions: Sequence[Question], options: argparse.Namespace) -> list[Work]:
    """Return the runs that the options ask for."""
    return [
        Work(
            question,
            replace(trial, minutes=options.minutes or trial.minutes),
            place_of(question, options),
            options.num,
        )
        for question in questions
        for trial in question.trials
        if trial.key in options.rows
    ]


def do(work: Work, launcher: Watching) -> str:
    """Train a run, or go on with it, measure its checkpoints, and enter it; return what came of it."""
    try:
        return _do(work, launcher)
    except GanctlError as error:
        return f"{work.trial.name}: FAILED: {error}"


def _do(work: Work, launcher: Watching) -> str:
    name = work.trial.name
    if (problem := budget.unfinished(name, work.train(), 60 * work.trial.minutes, launcher)) is not None:
        return f"{name}: {problem}"
    course: list[dict[str, Any]] = []
    for path in reversed(work.folder.checkpoints.files()):
        found = measured(work, path, launcher)
        if isinstance(found, str):
            return found
        course.append(found)
    enter(work, course)
    last = {key: value for key, value in course[-1].items() if key not in ("step", "cpu_seconds")}
    return f"{name}: {budget.spent(name).seconds / 60:.1f} CPU minutes, " + ", ".join(
        f"{key} {number['value']:.4g}" for key, number in last.items()
    )


def measured(work: Work, path: Path, launcher: Watching) -> dict[str, Any] | str:
    """Return a checkpoint's numbers, from its run's folder if they are there already, or what went wrong."""
    from scripts.tables import judge  # which imports torch

    step = int(path.stem.removeprefix("step-"))
    if (numbers := answered(work, path.name)) is None:
        ended = launcher.run(work.evaluate(path))
        if ended.code in STOPPED:
            return f"{work.trial.name}: stopped while it was measured; it goes on"
        if (numbers := answered(work, path.name)) is None:
            return f"{work.trial.name}: FAILED at its measurement, exit code {ended.code}: {ended.told}"
    spent = budget.spent(work.trial.name)
    found: dict[str, Any] = {"step": step, "cpu_seconds": spent.at.get(str(step), spent.seconds)}
    for named in numbers.values():
        found |= {name: {"value": told["mean"], "floor": told["floor"]} for name, told in named.items()}
    if work.question.codes:
        with ALONE:
            judged = judge.purity(path, work.samples)
        accuracy = judged.pop("accuracy")
        found |= {key: {"value": value, "floor": accuracy} for key, value in judged.items()}
    return found


def answered(work: Work, checkpoint: str) -> dict[str, Any] | None:
    """Return what `ganctl evaluate` has found of a checkpoint by metric, from evaluation.json, or None."""
    try:
        answers = json.loads((work.folder.path / "evaluation.json").read_text())["evaluations"]
    except (OSError, ValueError, KeyError):
        return None
    for each in answers:
        asked = (each["checkpoint"], each["asked"]["num"], tuple(each["numbers"]))
        if asked == (checkpoint, work.samples, work.trial.metrics):
            numbers: dict[str, Any] = each["numbers"]
            return numbers
    return None


def enter(work: Work, course: Sequence[dict[str, Any]]) -> None:
    """Enter a run that is trained and measured into the results, with its pictures."""
    from scripts.tables import results

    status = work.folder.read_status()
    plain = colours_at(JPEGS) if work.question.data == "cifar" else ()
    record = {
        "name": work.trial.name,
        "part": work.question.key,
        "row": work.trial.key,
        "seed": 0,
        "status": "complete",
        "step": course[-1]["step"],
        "minutes": work.trial.minutes,
        "cpu_seconds": round(budget.spent(work.trial.name).seconds, 1),
        "course": list(course),
        "settings": work.settings,
        "commands": [command(work.train(plain)), command(work.evaluate(Path("outputs", work.trial.name)))],
        "hardware": results.hardware(),
        "environment": status.get("environment", {}),
        "not_bit_exact": status.get("not_bit_exact", []),
        "pictures": pictures(work),
    }
    results.add(NAME, record)


def pictures(work: Work) -> list[list[str]]:
    """Draw what a run's last checkpoint makes; return the file names and captions."""
    from scripts.tables import judge, results

    newest = work.folder.checkpoints.files()[0]
    trained = judge.opened(newest)
    space = trained.config.model.latents
    drawn: list[list[str]] = []

    def file(what: str, caption: str) -> Path:
        name = "-".join(filter(None, (work.trial.name, what)))
        drawn.append([f"{name}.png", caption])
        return results.picture_of(name)

    names = trained.space.classes
    if names:
        judge.picture(newest, names, file("", f"{work.trial.label}: a class a row"))
        if set(CIFAR_CLASSES) <= set(names):
            shown = file("classes", f"{work.trial.label}: {', '.join(CIFAR_CLASSES)}")
            judge.picture(newest, CIFAR_CLASSES, shown)
    elif space.codes:
        for code in range(space.codes):
            judge.sweeps(newest, code, file(f"code{code}", f"{work.trial.label}: code {code} from left to right"))
    else:
        judge.samples(newest, file("", work.trial.label))
    return drawn


def main(arguments: Sequence[str], launcher: Watching, questions: Sequence[Question] = QUESTIONS) -> int:
    """Do what the arguments ask; return 0 if all of it is in, 1 if not, 130 if stopped."""
    options = options_of(questions, arguments)
    todo = wanted(questions, options)
    if options.dry_run:
        for work in todo:
            print(command(work.train()))
            print(command(work.evaluate(Path("outputs", work.trial.name))))
        return 0
    from scripts.tables.labels_page import rewrite

    if options.report:
        rewrite(questions)
        return 0
    complete, stopped = work_through(todo, options.jobs, launcher)
    rewrite(questions)
    return INTERRUPTED if stopped else 0 if complete else 1


def work_through(todo: Sequence[Work], at_once: int, launcher: Watching) -> tuple[bool, bool]:
    """Do the runs, so many at once; return whether all are in, and whether a signal stopped them."""
    from scripts.tables import results
    from scripts.tables.runs import side_by_side

    stopped = side_by_side([partial(do, work, launcher) for work in todo], at_once, launcher)
    there = {(run["name"], run["settings"]) for run in results.read(NAME)}
    return all((work.trial.name, work.settings) in there for work in todo), stopped
