"""What a run spends its time on besides its steps: the default run on MNIST, and a single checkpoint."""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from ganctl.checkpoints import file as checkpoint
from ganctl.checkpoints import state
from ganctl.checkpoints.file import Header
from ganctl.game.build import build_game
from ganctl.game.step import train_step
from scripts.benchmarks.commands import GANCTL
from scripts.benchmarks.ours import opened
from scripts.benchmarks.table import Column, Row, Table
from scripts.benchmarks.turns import ROOT


def words_of(options: argparse.Namespace) -> list[str]:
    """Return the words of the default run on MNIST, or of what the options make of it."""
    place = ["data=mnist", f"data.root={options.mnist}", "data.download=false", f"device.name={options.device}"]
    return [*place, f"train.steps={options.steps}", *options.words]


def run(words: list[str]) -> tuple[dict[str, Any], float]:
    """Return what run.json says of a whole run, and the mean share of its steps that waited for data."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        command = [*GANCTL, "train", *words, "name=run"]
        subprocess.run(command, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        told: dict[str, Any] = json.loads(Path(folder, "outputs/run/run.json").read_text())
        lines = Path(folder, "outputs/run/metrics.jsonl").read_text().splitlines()
        return told, statistics.mean(json.loads(line)["data_wait"] for line in lines)


def resident(field: str) -> int:
    """Return a field of this process's status in MiB: VmRSS, or its peak VmHWM; 0 where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) // 1024


def forget_the_peak() -> None:
    """Let VmHWM begin anew, where the system can."""
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def single(words: list[str], saves: int) -> Row:
    """Return what one checkpoint costs: the median of some saves of one state, its bytes, the memory it needs."""
    config, device, store = opened(words)
    game = build_game(config, store, device)
    steps = count()
    for _ in range(3):
        train_step(game, next(steps))
    header = Header(config=config.saved(), step=3, shape=store.space.shape, data="", versions={}, logs={})
    seconds, risen = [], 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "step-00000003.safetensors")
        for _ in range(saves):
            forget_the_peak()
            before, started = resident("VmRSS"), time.perf_counter()
            checkpoint.write(path, header, state.tensors(game))
            seconds.append(time.perf_counter() - started)
            risen = max(risen, resident("VmHWM") - before)
        size = path.stat().st_size / 1e6
    note = f"{size:.1f} MB, {risen} MiB of memory meanwhile"
    return {"work": "one checkpoint", "seconds": statistics.median(seconds), "share": None, "note": note}


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Train, and look at where the time went."""
    words = words_of(options)
    told, waited = run(words)
    spent = told["seconds"]
    whole = sum(spent.values())
    for work, seconds in spent.items():
        note = f"{told['steps']:,} steps, of which {waited:.2%} waited for data" if work == "steps" else ""
        yield {"work": work, "seconds": seconds, "share": seconds / whole, "note": note}
    yield single(words, options.rounds)


TABLE = Table(
    "runner",
    "where the time of a whole run goes: the default run on MNIST at its default logs, images and checkpoints",
    (
        Column("work", "work", right=False),
        Column("seconds", "time", "{:.3f} s"),
        Column("share", "share", "{:.2%}"),
        Column("note", "", right=False),
    ),
    rows,
)
