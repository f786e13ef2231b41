"""Speed of `ganctl data prepare` beside bare Pillow loops over the same zip file, interleaved.

A bare loop does the least that training on pictures needs: read a member, decode it, turn it to RGB and to an
array. It keeps nothing, and neither crops, resizes nor looks for EXIF data, transparency and bad files. The start
of Python counts for all; for ganctl, what `ganctl data info` takes (imports, the table of contents) is subtracted.
Processor time tells the sides apart where other work disturbs the clock.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
BARE = """
import io, multiprocessing, sys, zipfile
import numpy as np
from PIL import Image

def decode(part):
    archive = zipfile.ZipFile(sys.argv[1])
    names = [name for name in archive.namelist() if not name.endswith("/")]
    for name in names[part::int(sys.argv[2])]:
        np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"))

processes = [multiprocessing.get_context("fork").Process(target=decode, args=(part,))
             for part in range(int(sys.argv[2]))]
for process in processes:
    process.start()
for process in processes:
    process.join()
"""


Cost = tuple[float, float]
"""Seconds from start to end, and seconds of processor time, of all processes together."""


def cost(words: list[str]) -> Cost:
    """Return what a command costs."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=environment)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def prepare(archive: Path, workers: int) -> Cost:
    """Return what decoding into an empty cache costs: all of `ganctl data prepare` less what `info` takes too."""
    with tempfile.TemporaryDirectory() as cache:
        words = [f"path={archive}", f"cache={cache}", f"workers={workers}"]
        base = cost([sys.executable, "-m", "ganctl", "data", "info", *words])
        whole = cost([sys.executable, "-m", "ganctl", "data", "prepare", *words])
        return whole[0] - base[0], whole[1] - base[1]


def main() -> None:
    """Print rates as medians over the rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archive", type=Path, help="a zip file of pictures")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    archive, many = options.archive.resolve(), options.processes
    info = subprocess.run(["unzip", "-Z1", str(archive)], check=True, capture_output=True, text=True)
    count = sum(not name.endswith("/") for name in info.stdout.splitlines())
    sides = {
        "bare Pillow, 1 process": lambda: cost([sys.executable, "-c", BARE, str(archive), "1"]),
        f"bare Pillow, {many} processes": lambda: cost([sys.executable, "-c", BARE, str(archive), str(many)]),
        f"ganctl data prepare, {many} processes": lambda: prepare(archive, many),
    }
    costs: dict[str, list[Cost]] = {name: [] for name in sides}
    for _ in range(options.rounds):
        for name, run in sides.items():
            costs[name].append(run())
    print(f"{count:,} pictures of {archive.name}, medians of {options.rounds} rounds, {os.cpu_count()} cores")
    print(f"{'':34} {'s':>7} {'pictures/s':>11}   {'processor s':>11}")
    for name, values in costs.items():
        wall, processor = (statistics.median(value[part] for value in values) for part in (0, 1))
        print(f"{name:34} {wall:7.2f} {count / wall:11,.0f}   {processor:11.2f}")


if __name__ == "__main__":
    main()
