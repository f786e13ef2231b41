"""Kills the launcher of a sweep at random moments, and repeats the command: same table, same weights."""

import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from safetensors.numpy import load_file

WORDS = (
    *("data=ring", "data.num=64", "model=mlp", "model.generator.hidden=[16]", "model.discriminator.hidden=[16]"),
    *("train.batch_size=16", "sample.every=0", "checkpoint.every=50", "logging.every=50", "device=cpu"),
    *("device.precision=fp32", "device.threads=1", "-m", "seed=1,2,3", "loss=hinge,lsgan"),
)
"""Six jobs, but for their steps."""

Table = list[dict[str, str]]


@dataclass
class Counts:
    """What was done: kills, sweeps that were finished, and those whose table or weights differ."""

    kills: int = 0
    sweeps: int = 0
    differing: int = 0


def soak_sweeps(kills: int, seed: int, steps: int, work: Path) -> Counts:
    """Run a sweep undisturbed, then again and again under kill -9 of its launcher, two jobs at once.

    A sweep that finishes is compared with the undisturbed one, and begun again elsewhere until `kills` are spent.
    """
    source = random.Random(seed)
    started = time.monotonic()
    _start(work / "whole", steps).wait()
    longest = time.monotonic() - started
    expected = _result(work / "whole")
    counts = Counts()
    while counts.kills < kills:
        place = work / f"killed-{counts.sweeps}"
        while True:
            process = _start(place, steps)
            try:
                process.wait(source.uniform(0, longest) if counts.kills < kills else None)
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
                process.wait()
                counts.kills += 1
                continue
            break
        counts.sweeps += 1
        if process.returncode or _result(place) != expected:
            counts.differing += 1
        else:
            shutil.rmtree(place)
    return counts


def _start(place: Path, steps: int) -> subprocess.Popen[bytes]:
    place.mkdir(parents=True, exist_ok=True)
    words = ("train", f"train.steps={steps}", *WORDS, "launcher=joblib", "launcher.jobs=2")
    with (place / "sweep.log").open("ab") as log:
        command = [sys.executable, "-m", "ganctl", *words]
        path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONPATH": path}
        return subprocess.Popen(command, cwd=place, env=environment, stdout=log, stderr=log)


def _result(place: Path) -> tuple[Table, dict[str, dict[str, bytes]]]:
    """Return the table and the last weights of each job, as bytes by name."""
    (path,) = place.glob("outputs/sweep-*/sweep.csv")
    table = list(csv.DictReader(path.read_text().splitlines()))
    weights = {}
    for row in table:
        newest = sorted((place / row["folder"]).glob("checkpoints/step-*.safetensors"))[-1]
        weights[row["words"]] = {key: value.tobytes() for key, value in load_file(newest).items()}
    return table, weights
