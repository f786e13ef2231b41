"""python -m scripts.tables <table>: runs what is missing of a table, and writes docs/results/<table>.md."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ganctl.errors import GanctlError
from scripts.tables import few, labels, losses, markov, mixtures, quality, stacked, trials
from scripts.tables.launch import Launcher, Processes
from scripts.tables.table import Job, Table, command, jobs

PROOFS = ("augmentation", "anomaly")
TABLES = {table.name: table for table in (mixtures.TABLE, stacked.TABLE, losses.TABLE, markov.TABLE)}
STOPPED = 130


def options_of(table: Table, arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the command line asks for; ends the process where that is not clear."""
    parser = argparse.ArgumentParser(
        prog=f"scripts/tables/{table.name}",
        description="Trains and measures what is missing of a table, and writes its page in docs/results. "
        "The same command again goes on; Ctrl-C saves what is being trained.",
    )
    rows = list(dict.fromkeys(row.key for part in table.parts for row in part.rows if row.words is not None))
    data = [part.key for part in table.parts if part.trained]
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, each on one thread; 2 unless given")
    parser.add_argument("--seeds", default=f"0-{table.seeds - 1}", help="0-2 or 0,3,5; all that are planned")
    parser.add_argument("--rows", default=",".join(rows), help=f"some of {','.join(rows)}")
    if len(data) > 1:
        parser.add_argument("--data", default=",".join(data), help=f"some of {','.join(data)}")
    if table.mnist:
        parser.add_argument("--mnist", help="folder that holds MNIST/raw; without it, MNIST is fetched into data/")
    parser.add_argument("--dry-run", action="store_true", help="print the commands and run none")
    parser.add_argument("--report", action="store_true", help="only rewrite the page from docs/results/")
    options = parser.parse_args(arguments)
    options.rows = _some(parser, "--rows", options.rows, rows)
    options.data = _some(parser, "--data", options.data, data) if len(data) > 1 else data
    options.seeds = _seeds(parser, options.seeds)
    if options.jobs < 1:
        parser.error("--jobs: must be at least 1")
    return options


def _some(parser: argparse.ArgumentParser, option: str, text: str, known: Sequence[str]) -> list[str]:
    chosen = text.split(",")
    for word in chosen:
        if word not in known:
            parser.error(f"{option}: there is no '{word}'; there are {', '.join(known)}")
    return chosen


def _seeds(parser: argparse.ArgumentParser, text: str) -> list[int]:
    numbers: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            numbers += range(int(first), int(last or first) + 1)
    except ValueError:
        parser.error(f"--seeds: '{text}' is neither a range such as 0-2 nor a list such as 0,3,5")
    return numbers


def wanted(table: Table, options: argparse.Namespace) -> list[Job]:
    """Return the runs that the options ask for."""
    place: tuple[str, ...] = ()
    if table.mnist and options.mnist:
        place = (f"data.root={Path(options.mnist).resolve()}", "data.download=false")
    return [
        job
        for job in jobs(table, options.seeds, place)
        if job.row.key in options.rows and job.part.key in options.data
    ]


def main(table: Table, arguments: Sequence[str], launcher: Launcher) -> int:
    """Do what the arguments ask of a table; return 0 if all of it is in, 1 if not, 130 if stopped."""
    options = options_of(table, arguments)
    todo = wanted(table, options)
    if options.dry_run:
        for job in todo:
            print(command(job.train))
            print(command(job.evaluate))
        return 0
    from scripts.tables.report import rewrite  # here and below, what imports torch

    if options.report:
        rewrite(table)
        return 0
    from scripts.tables.runs import Shift, plan

    shift = Shift(table, launcher, lambda line: print(line, flush=True))
    complete = shift.run(plan(todo), options.jobs)
    rewrite(table)
    if shift.stopped:
        return STOPPED
    return 0 if complete else 1


def entry_point() -> int:
    """Run the command line of this process and return its exit code."""
    name, *arguments = sys.argv[1:] or [""]
    names = (*TABLES, *PROOFS, trials.NAME, few.NAME, quality.NAME)
    if name not in names:
        print(f"scripts.tables: which table? There are {', '.join(names)}", file=sys.stderr)
        return 2
    try:
        if name == trials.NAME:
            return labels.main(arguments, Processes())
        if name == few.NAME:
            return few.main(arguments, Processes())
        if name == quality.NAME:
            return quality.main(arguments, Processes(), Processes(quality.PLAIN))
        if name in PROOFS:
            from scripts.tables import anomaly, augmentation, proof  # which import torch

            found = {each.PROOF.name: each.PROOF for each in (augmentation, anomaly)}
            return proof.main(found[name], arguments, Processes())
        return main(TABLES[name], arguments, Processes())
    except GanctlError as error:
        print(f"scripts/tables/{name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return STOPPED


if __name__ == "__main__":
    sys.exit(entry_point())
