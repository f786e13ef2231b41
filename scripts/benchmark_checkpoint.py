"""What checkpoints cost: their share of a real run's time, and seconds, bytes and memory of a single one.

The run is `ganctl train` with the words given (none: the default run) in a process and folder of its own, whose
run.json says where the time went. Then, in this process, the same config takes a few steps and saves a few times.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from ganctl import compose
from ganctl.config import train_config
from ganctl.training import checkpoint, state
from ganctl.training.assemble import build_game, open_configured
from ganctl.training.checkpoint import Header
from ganctl.training.step import train_step

ROOT = Path(__file__).parent.parent


def shares(words: list[str]) -> dict[str, float]:
    """Return the seconds of a whole run by what they went into."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "ganctl", "train", *words, "name=run"]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        subprocess.run(command, check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
        seconds: dict[str, float] = json.loads(Path(folder, "outputs/run/run.json").read_text())["seconds"]
        return seconds


def memory(field: str) -> int:
    """Return a field of this process's status in MiB: VmRSS, or its peak VmHWM."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) // 1024


def single(words: list[str], saves: int) -> tuple[list[float], int, int]:
    """Return the seconds of some saves, the bytes of one, and the MiB by which memory rose meanwhile."""
    found: list[dict[str, object]] = []
    compose.run("train", words, lambda resolve, sweep: found.append(resolve()) or 0)
    config = train_config(found[0])
    game = build_game(config, config.data.load(), open_configured(config.device, points=config.data.points))
    for step in range(3):
        train_step(game, step)
    header = Header(config=config.saved(), step=3, shape=(1,), data="", versions={}, logs={})
    seconds, risen = [], 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "step-00000003.safetensors")
        for _ in range(saves):
            Path("/proc/self/clear_refs").write_text("5")
            before, started = memory("VmRSS"), time.perf_counter()
            checkpoint.write(path, header, state.tensors(game))
            seconds.append(time.perf_counter() - started)
            risen = max(risen, memory("VmHWM") - before)
        return seconds, path.stat().st_size, risen


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="words of ganctl train, such as data=mnist train.steps=500")
    parser.add_argument("--saves", type=int, default=7, help="saves of one state")
    options = parser.parse_args()
    spent = shares(options.words)
    whole = sum(spent.values())
    for work, seconds in spent.items():
        print(f"{work:12}{seconds:8.2f} s  {seconds / whole:6.2%}")
    seconds, size, risen = single(options.words, options.saves)
    took = f"{statistics.median(seconds):.3f} s ({min(seconds):.3f} to {max(seconds):.3f})"
    print(f"one checkpoint: {size / 1e6:.1f} MB in {took}, {risen} MiB of memory")


if __name__ == "__main__":
    main()
