"""500 images, equal CPU time: augmentation, FastGAN, transfer beside plain DCGAN; writes docs/results/few.md."""

import argparse
import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ganctl.errors import GanctlError
from ganctl.folders.run_folder import RunFolder
from ganctl.runtime.disk import write_whole
from scripts.tables import budget
from scripts.tables.budget import Watching
from scripts.tables.launch import ALONE
from scripts.tables.table import Column, command
from scripts.tables.trials import FIRST_DCGAN

NAME = "few"
IMAGES, SEEDS, MINUTES, SAMPLES = 500, 3, 4.0, 10_000
CLASS = "horse"
PICTURES = Path("outputs/few-pictures")
"""Where the images that every row trains on are copied to."""

COLUMNS = (
    Column("fid", "fid", "FID by the classifier", 2),
    Column("nearest_neighbour", "distance_ratio", "distance to the images, of real ones", 2),
    Column("nearest_neighbour", "copies", "copies", 1, True),
)


@dataclass(frozen=True)
class Row:
    """A way to train on few images, and its words of `ganctl train`."""

    key: str
    label: str
    words: tuple[str, ...]


SOURCE = Row("source", "the source: DCGAN on all classes", FIRST_DCGAN)
DIFFAUGMENT = "augment=[diffaugment]"
TRANSFER = (*FIRST_DCGAN, f"init_from=outputs/{NAME}-source-0")
FASTGAN = (
    "model=fastgan",
    "model.generator.width=16",
    "model.discriminator={width: 16, decoders: true}",
    "loss=hinge",
    "penalty=[]",
    "auxiliary=[reconstruction]",
    "optimizer.lr=2e-4",
    "optimizer.betas=[0.5,0.999]",
    "train.batch_size=16",
)
"""The authors' recipe, a quarter as wide."""
STYLEGAN2 = (
    "experiment=stylegan2_ada_folder",
    "model.generator={width: 32, max_width: 128}",
    "model.discriminator={width: 32, max_width: 128}",
)
"""The recipe for a folder, as narrow as its header advises for a CPU."""
ROWS = (
    Row("dcgan", "DCGAN", FIRST_DCGAN),
    Row("diffaugment", "DCGAN, DiffAugment", (*FIRST_DCGAN, DIFFAUGMENT)),
    Row("ada", "DCGAN, ADA", (*FIRST_DCGAN, "augment=[ada]", "augment.ada.kimg=50")),
    Row("fastgan", "FastGAN, DiffAugment", (*FASTGAN, DIFFAUGMENT)),
    Row("stylegan2", "StyleGAN2, ADA", STYLEGAN2),
    Row("transfer", "DCGAN from all classes", TRANSFER),
)


@dataclass(frozen=True)
class Work:
    """A row trained from one seed on the images of a folder or zip of CIFAR-10."""

    row: Row
    seed: int
    minutes: float
    samples: int
    cifar: str

    @property
    def name(self) -> str:
        """The run's name, and its folder's."""
        return f"{NAME}-{self.row.key}-{self.seed}"

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        return RunFolder(Path("outputs", self.name))

    def train(self, place: str | None = None) -> list[str]:
        """Return the words of the training, on images in another place if one is given."""
        where = [f"data.path={place or PICTURES}"]
        if self.row is SOURCE:
            where = [f"data.path={place or self.cifar}", "data.subfolder=train"]
        ending = ("train.steps=1000000", "checkpoint.every=500", "sample.every=500", "device.threads=1")
        data = ("data=folder", *where, "data.resolution=32")
        return ["train", f"name={self.name}", *self.row.words, *data, *ending, f"seed={self.seed}"]

    @property
    def settings(self) -> str:
        """A digest of all that the numbers depend on but the seed."""
        told = json.dumps([self.train("")[2:-1], self.minutes, self.samples])
        return hashlib.sha256(told.encode()).hexdigest()[:8]


def copy_pictures(cifar: Path) -> None:
    """Copy the first images of the class from a folder or zip into `PICTURES`, once."""
    if PICTURES.exists() and len(list(PICTURES.iterdir())) == IMAGES:
        return
    PICTURES.mkdir(parents=True, exist_ok=True)
    beginning = f"train/{CLASS}/"
    if cifar.is_dir():
        names = sorted(path.relative_to(cifar).as_posix() for path in (cifar / beginning).iterdir())
        read = {name: (cifar / name).read_bytes() for name in names[:IMAGES]}
    else:
        with zipfile.ZipFile(cifar) as file:
            names = sorted(name for name in file.namelist() if name.startswith(beginning) and name[-1] != "/")
            read = {name: file.read(name) for name in names[:IMAGES]}
    for name, content in read.items():
        write_whole(PICTURES / Path(name).name, content)


def do(work: Work, launcher: Watching) -> str:
    """Train a run, or go on with it, measure it, and enter it; return what came of it."""
    try:
        problem = budget.unfinished(work.name, work.train(), 60 * work.minutes, launcher)
        if problem is not None:
            return f"{work.name}: {problem}"
        if work.row is SOURCE:
            return f"{work.name}: trained"
        with ALONE:
            found = enter(work)
    except GanctlError as error:
        return f"{work.name}: FAILED: {error}"
    return f"{work.name}: " + ", ".join(f"{key} {value['value']:.3g}" for key, value in found.items())


def enter(work: Work) -> dict[str, Any]:
    """Measure a run and enter it into the results, with its picture; return its numbers."""
    from scripts.tables import few_judge, judge, results

    newest = work.folder.checkpoints.files()[0]
    numbers = few_judge.numbers(newest, work.samples, Path(work.cifar), CLASS)
    status = work.folder.read_status()
    if work.seed == 0:
        judge.samples(newest, results.picture_of(f"{NAME}-{work.row.key}"))
    record = {
        "name": work.name,
        "part": "",
        "row": work.row.key,
        "seed": work.seed,
        "status": "complete",
        "step": status["step"],
        "minutes": work.minutes,
        "cpu_seconds": round(budget.spent(work.name).seconds, 1),
        "numbers": numbers,
        "settings": work.settings,
        "commands": [command(work.train("horses"))],
        "hardware": results.hardware(),
        "environment": status.get("environment", {}),
    }
    results.add(NAME, record)
    return numbers


def main(arguments: Sequence[str], launcher: Watching, rows: Sequence[Row] = ROWS) -> int:
    """Do what the arguments ask; return 0 if all of it is in, 1 if not."""
    parser = argparse.ArgumentParser(
        prog=f"scripts/tables/{NAME}",
        description=f"Trains each row for its CPU time on {IMAGES} images, on one thread a run, measures it, "
        f"and writes docs/results/{NAME}.md. The same command again goes on.",
    )
    keys = ",".join(row.key for row in rows)
    parser.add_argument("--cifar", help="folder or .zip of CIFAR-10's images, train/<class>/… and test/<class>/…")
    parser.add_argument("--rows", default=keys, help=f"some of {keys}")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="runs of each row, from seed 0 on")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, each on one thread")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="CPU minutes of each run")
    parser.add_argument("--num", type=int, default=SAMPLES, help="samples that are measured")
    parser.add_argument("--report", action="store_true", help="only rewrite the page from docs/results/")
    options = parser.parse_args(arguments)
    if not options.report and not options.cifar:
        parser.error("--cifar: say where CIFAR-10's images are")
    from scripts.tables.few_page import rewrite

    if options.report:
        rewrite(rows)
        return 0
    copy_pictures(Path(options.cifar))
    chosen = [row for row in rows if row.key in options.rows.split(",")]
    if any(row.words == TRANSFER for row in chosen):
        print(do(Work(SOURCE, 0, 2 * options.minutes, options.num, options.cifar), launcher), flush=True)
    todo = [
        Work(row, seed, options.minutes, options.num, options.cifar)
        for seed in range(options.seeds)
        for row in chosen
    ]
    from scripts.tables import results
    from scripts.tables.runs import side_by_side

    side_by_side([partial(do, work, launcher) for work in todo], options.jobs, launcher)
    rewrite(rows)
    there = {(run["name"], run["settings"]) for run in results.read(NAME)}
    return 0 if all((work.name, work.settings) in there for work in todo) else 1
