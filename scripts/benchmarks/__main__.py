"""python -m scripts.benchmarks: how fast ganctl is and what it costs, in tables."""

import argparse
import json
import sys
from pathlib import Path

import torch

from scripts.benchmarks import commands, cost, decoding, exports, memory, peak, profile, runner, scale, steps
from scripts.benchmarks.cases import CASES

MODULES = (steps, commands, runner, memory, decoding, scale, peak, profile, cost, exports)
TABLES = {module.TABLE.name: module.TABLE for module in MODULES}


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark", description=__doc__.split(": ", 1)[1])
    parser.add_argument("tables", nargs="*", help=f"some of {' '.join(TABLES)}, or all; steps unless given")
    parser.add_argument("--cases", default="base", help=f"of steps, peak and profile: {','.join(CASES)}, or all")
    parser.add_argument("--sides", default=",".join(steps.SIDES), help=f"of steps: {','.join(steps.SIDES)}")
    parser.add_argument("--mnist", default="data", help="folder that holds MNIST/raw; data unless given")
    parser.add_argument("--archive", help="of decoding: a zip file of images; JPEGs of noise unless given")
    parser.add_argument("--picture", help="of profile: a PNG file to draw")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; torch's choice unless given")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side, or runs of each command")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a turn")
    parser.add_argument("--steps", type=int, default=1000, help="of runner, memory and decoding: length of a run")
    parser.add_argument("--words", default="", help="further words of ganctl, such as 'train.share_fakes=false'")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args(arguments)
    options.tables = list(TABLES) if options.tables == ["all"] else options.tables or ["steps"]
    options.cases = list(CASES) if options.cases == "all" else options.cases.split(",")
    options.sides, options.words = options.sides.split(","), options.words.split()
    options.mnist = str(Path(options.mnist).resolve())
    for option, known in (("tables", TABLES), ("cases", CASES), ("sides", steps.SIDES)):
        for word in getattr(options, option):
            if word not in known:
                parser.error(f"{option}: there is no '{word}'; there are {', '.join(known)}")
    return options


def describe(device: str) -> str:
    """Return the machine in words."""
    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names) or '?'} × {names[0] if names else 'CPU'}, torch {torch.__version__}"


def main(arguments: list[str]) -> None:
    """Measure and print, row by row."""
    options = options_of(arguments)
    machine = describe(options.device)
    if options.json:
        found = {name: list(TABLES[name].rows(options)) for name in options.tables}
        print(json.dumps({"machine": machine, "rounds": options.rounds, "tables": found}))
        return
    print(f"{machine}; medians of {options.rounds}")
    for name in options.tables:
        table = TABLES[name]
        print(f"\n{table.name}: {table.about}\n\n{table.head()}", flush=True)
        for row in table.rows(options):
            print(table.line(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
