"""python -m scripts.benchmarks: ganctl beside plain PyTorch loops, in turns, and one table."""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scripts.benchmarks.cases import CASES, Case
from scripts.benchmarks.turns import Measured, in_turns

SIDES = {
    "plain": ("plain PyTorch, fp32", {"mode": "plain", "kind": "step"}),
    "strict": ("ganctl, strict fp32", {"mode": "strict", "kind": "bare"}),
    "auto": ("ganctl, auto precision", {"mode": "auto", "kind": "bare"}),
    "runner": ("ganctl, auto, whole runner", {"mode": "auto", "kind": "whole"}),
}


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark", description=__doc__.split(": ", 1)[1])
    parser.add_argument("--cases", default="base", help=f"some of {','.join(CASES)}, or all; base unless given")
    parser.add_argument("--sides", default=",".join(SIDES), help=f"some of {','.join(SIDES)}")
    parser.add_argument("--mnist", default="data", help="folder that holds MNIST/raw; data unless given")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; torch's choice unless given")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of a turn")
    parser.add_argument("--words", default="", help="further words of ganctl, such as 'train.share_fakes=false'")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    options.cases = list(CASES) if options.cases == "all" else options.cases.split(",")
    options.sides = options.sides.split(",")
    for option, known in (("cases", CASES), ("sides", SIDES)):
        for word in getattr(options, option):
            if word not in known:
                parser.error(f"--{option}: there is no '{word}'; there are {', '.join(known)}")
    return options


@contextmanager
def random_pictures(cases: list[Case]) -> Iterator[str]:
    """Yield the path of a .npy file of random colour pictures, if a case needs one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "pictures.npy")
        sides = [case.rgb for case in cases if case.rgb is not None]
        if sides:
            np.save(path, np.random.default_rng(0).integers(0, 256, (1024, sides[0], sides[0], 3), np.uint8))
        yield str(path)


def measure(case: str, options: argparse.Namespace, rgb: str) -> dict[str, Measured]:
    """Return what each side of a case measured."""
    known = CASES[case]
    names = [name for name in options.sides if known.kind == "step" or name != "runner"]
    common = {
        "case": case,
        "mnist": str(Path(options.mnist).resolve()),
        "rgb": rgb,
        "device": options.device,
        "threads": options.threads,
        "words": options.words.split(),
    }
    sides: list[dict[str, Any]] = [common | SIDES[name][1] for name in names]
    for side in sides:
        if known.kind != "step":
            side["kind"] = known.kind
    return dict(zip(names, in_turns(sides, known.images, options.rounds, options.seconds), strict=True))


def rows_of(case: Case, found: dict[str, Measured]) -> list[dict[str, Any]]:
    """Return a row for each side: speed, its ratio to the plain loop turn by turn with least and most, memory."""
    base = found.get("plain", next(iter(found.values())))
    rows = []
    for name, measured in found.items():
        ratios = measured.ratios(base)
        rows.append(
            {
                "case": case.name,
                "batch_size": case.batch_size,
                "side": SIDES[name][0],
                "images_per_second": round(measured.median, 1),
                "ratio": round(statistics.median(ratios), 3),
                "ratios": [round(min(ratios), 3), round(max(ratios), 3)],
                "memory": measured.memory,
            }
        )
    return rows


def describe(device: str) -> str:
    """Return the machine in words."""
    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{len(names) or '?'} × {names[0] if names else 'CPU'}, torch {torch.__version__}"


def main(arguments: list[str]) -> None:
    """Measure and print."""
    options = options_of(arguments)
    machine = describe(options.device)
    rows: list[dict[str, Any]] = []
    if not options.json:
        print(f"{machine}; medians of {options.rounds} turns of {options.seconds:g} s; ratios turn by turn\n")
        print("| work | batch | side | images/s | ratio | least to most | memory |")
        print("| --- | ---: | --- | ---: | ---: | --- | ---: |", flush=True)
    with random_pictures([CASES[case] for case in options.cases]) as rgb:
        for case in options.cases:
            found = rows_of(CASES[case], measure(case, options, rgb))
            rows += found
            for row in [] if options.json else found:
                least, most = row["ratios"]
                print(
                    f"| {row['case']} | {row['batch_size']} | {row['side']} | {row['images_per_second']:,.0f} | "
                    f"{row['ratio']:.2f}× | {least:.2f} to {most:.2f} | {row['memory']} MiB |",
                    flush=True,
                )
    if options.json:
        print(json.dumps({"machine": machine, "rounds": options.rounds, "rows": rows}))


if __name__ == "__main__":
    main(sys.argv[1:])
