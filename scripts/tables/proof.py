"""A table of what a use of trained generators brings: each run is trained by `ganctl train`, and measured here."""

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ganctl.errors import GanctlError
from ganctl.folders.run_folder import RunFolder
from ganctl.runtime.disk import write_whole
from scripts.tables.launch import ALONE, Launcher
from scripts.tables.results import Record
from scripts.tables.table import command


@dataclass(frozen=True)
class Work:
    """A run of a row from one seed: the words of its training, and what else its numbers depend on."""

    table: str
    row: str
    seed: int
    words: tuple[str, ...]
    asked: tuple[object, ...] = ()

    @property
    def name(self) -> str:
        """The run's name, and its folder's."""
        return f"{self.table}-{self.row}-{self.seed}"

    @property
    def train(self) -> list[str]:
        """The words of the training, on one thread."""
        return ["train", f"name={self.name}", *self.words, f"seed={self.seed}", "device.threads=1"]

    @property
    def folder(self) -> RunFolder:
        """The run's folder."""
        return RunFolder(Path("outputs", self.name))

    @property
    def settings(self) -> str:
        """A digest of all that the numbers depend on but the row and the seed."""
        words = [word for word in self.words if not word.startswith("data.")]
        return hashlib.sha256(json.dumps([words, self.asked]).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Proof:
    """A table: its runs by folder of MNIST, rows and seeds, what measures one, and the Markdown of all."""

    name: str
    rows: tuple[str, ...]
    seeds: int
    works: Callable[[Path, str, int], Work]
    measure: Callable[[Path, Work], dict[str, float]]
    section: Callable[[Sequence[Record]], str]


def done(proof: Proof, mnist: Path, row: str, seed: int, launcher: Launcher) -> str:
    """Train a run, or go on with it, measure it, and enter it; return what came of it."""
    from scripts.tables import results

    try:
        with ALONE:
            work = proof.works(mnist, row, seed)
        there = {(run["name"], run["settings"]) for run in results.read(proof.name)}
        if (work.name, work.settings) in there:
            return f"{work.name}: is in already"
        ended = launcher.run(work.train)
        if ended.code != 0:
            return f"{work.name}: FAILED: {ended.told}"
        with ALONE:
            numbers = proof.measure(mnist, work)
    except GanctlError as error:
        return f"{row}, seed {seed}: FAILED: {error}"
    record = {
        "name": work.name,
        "part": "",
        "row": row,
        "seed": seed,
        "status": "complete",
        "numbers": numbers,
        "settings": work.settings,
        "command": command(work.train),
        "hardware": results.hardware(),
        "environment": work.folder.read_status().get("environment", {}),
    }
    results.add(proof.name, record)
    return f"{work.name}: " + ", ".join(f"{key} {value:.3f}" for key, value in numbers.items())


def main(proof: Proof, arguments: Sequence[str], launcher: Launcher) -> int:
    """Do what the arguments ask; return 0 if all of it is in, 1 if not."""
    parser = argparse.ArgumentParser(
        prog=f"scripts/tables/{proof.name}",
        description="Trains and measures what is missing of a table, and writes its page in docs/results. The "
        "same command again goes on; Ctrl-C saves what is being trained.",
    )
    keys = ",".join(proof.rows)
    parser.add_argument("--mnist", type=Path, help="folder that holds MNIST/raw")
    parser.add_argument("--rows", default=keys, help=f"some of {keys}")
    parser.add_argument("--seeds", type=int, default=proof.seeds, help="runs of each row, from seed 0 on")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, each on one thread")
    parser.add_argument("--report", action="store_true", help="only rewrite the page from docs/results/")
    options = parser.parse_args(arguments)
    if options.report:
        rewrite(proof)
        return 0
    if options.mnist is None:
        parser.error("--mnist: say where MNIST is")
    if strange := set(options.rows.split(",")) - set(proof.rows):
        parser.error(f"--rows: there is no '{min(strange)}'; there are {keys}")
    from scripts.tables import results
    from scripts.tables.runs import side_by_side

    todo = [(row, seed) for seed in range(options.seeds) for row in proof.rows if row in options.rows.split(",")]
    calls = [partial(done, proof, options.mnist, row, seed, launcher) for row, seed in todo]
    stopped = side_by_side(calls, options.jobs, launcher)
    rewrite(proof)
    there = {(run["row"], run["seed"]) for run in results.read(proof.name)}
    return 0 if not stopped and set(todo) <= there else 1


def rewrite(proof: Proof) -> None:
    """Generate the page's section from the results."""
    from scripts.tables import results
    from scripts.tables.report import page_of, with_section

    page, runs = page_of(proof.name), results.read(proof.name)
    text = proof.section(runs) if runs else "Not run yet."
    write_whole(page, with_section(page.read_text(), proof.name, text).encode())


def of_rows(runs: Sequence[Record], row: str, number: str) -> list[float]:
    """Return a number of all runs of a row."""
    return [run["numbers"][number] for run in runs if run["row"] == row]


def lines(rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, whose first row is its head and whose first column is text."""
    head, *others = rows
    under = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, under, *others))
