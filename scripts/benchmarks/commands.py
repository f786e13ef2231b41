"""Whole commands, timed from the shell: starting, sampling and evaluating."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from scripts.benchmarks.table import Column, Row, Table
from scripts.benchmarks.turns import ROOT

GANCTL = (sys.executable, "-m", "ganctl")


def seconds(words: tuple[str, ...], folder: Path) -> float:
    """Return how long a command takes from start to end.

    Raises `subprocess.CalledProcessError` if it fails.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    started = time.perf_counter()
    subprocess.run(words, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def commands(options: argparse.Namespace, turn: int) -> dict[str, tuple[tuple[str, ...], float | None]]:
    """Return the commands by what they are, and the seconds that each may take; a turn has runs of its own."""
    device = f"device.name={options.device}"
    mnist = ("data=mnist", f"data.root={options.mnist}", "data.download=false", f"name=mnist-{turn}")
    train = (*GANCTL, "train", device, "train.steps=1")
    run = f"ckpt=outputs/mnist-{turn}"
    return {
        "import torch, nothing else": ((sys.executable, "-c", "import torch"), None),
        "ganctl --help": ((*GANCTL, "--help"), None),
        "ganctl train data=digits train.steps=1": ((*train, "data=digits", f"name=digits-{turn}"), 4.0),
        "ganctl train data=mnist train.steps=1": ((*train, *mnist), 4.0),
        "ganctl sample num=64": ((*GANCTL, "sample", run, device), 3.0),
        "ganctl evaluate num=10000": ((*GANCTL, "evaluate", run, "num=10000", device, "cache=cache"), 60.0),
    }


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Run each once before it counts, then all in turns."""
    took: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(options.rounds + 1):
            for command, (words, _) in commands(options, turn).items():
                spent = seconds(words, Path(folder))
                if turn:
                    took.setdefault(command, []).append(spent)
    for command, (_, aim) in commands(options, 0).items():
        each = took[command]
        yield {
            "command": command,
            "seconds": statistics.median(each),
            "least": min(each),
            "most": max(each),
            "aim": aim,
        }


TABLE = Table(
    "commands",
    "whole commands on a warm machine, in turns; `evaluate` with a classifier that was taught before",
    (
        Column("command", "command", "`{}`", right=False),
        Column("seconds", "median", "{:.2f} s"),
        Column("least", "least", "{:.2f}"),
        Column("most", "most", "{:.2f}"),
        Column("aim", "aim", "{:g} s"),
    ),
    rows,
)
