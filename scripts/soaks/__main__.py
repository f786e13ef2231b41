"""python -m scripts.soaks: kills runs at random moments, goes on with the same command, and compares every bit."""

import argparse
import json
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from scripts.soaks.configs import CONFIGS, matrix
from scripts.soaks.kills import PHASES
from scripts.soaks.soak import Row, soak
from scripts.soaks.sweeps import soak_sweeps
from scripts.soaks.warm import Warm
from scripts.soaks.worlds import soak_worlds


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
    parser = argparse.ArgumentParser("scripts/soak", description=__doc__.split(": ", 1)[1])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--matrix", action="store_true", help="kill runs of the whole pairwise matrix instead")
    parser.add_argument("--sweeps", action="store_true", help="kill launchers of a sweep of six jobs instead")
    parser.add_argument(
        "--world", type=int, help="kill ranks of a run that so many processes train together instead"
    )
    parser.add_argument("--steps", type=int, default=400, help="of each job of these sweeps")
    parser.add_argument("--processes", type=int, default=2, help="runs at once")
    parser.add_argument("--json", type=Path, help="write what was counted to this file too")
    options = parser.parse_args()
    configs = matrix() if options.matrix else CONFIGS
    started = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="ganctl-soak-"))
    if options.sweeps:
        counts = soak_sweeps(options.kills, options.seed, options.steps, work)
        kept = f"; kept in {work}" if counts.differing else ""
        told = f"{counts.kills} kills, {counts.sweeps} sweeps of 6 jobs, {counts.differing} differing"
        print(f"{time.monotonic() - started:.0f} s, seed {options.seed}: {told}{kept}")
        return int(counts.differing > 0)
    if options.world:
        done = soak_worlds(options.kills, options.seed, options.world, work)
        killed = f"kills of one of {options.world} ranks {done.kills['one']}, of all {done.kills['all']}"
        told = f"{killed}; runs {done.runs}, lost or differing {len(done.wrong)}"
        print(f"{time.monotonic() - started:.0f} s, seed {options.seed}: {told}", *done.wrong, sep="\n")
        if not done.wrong:
            shutil.rmtree(work)
        return int(bool(done.wrong))
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
