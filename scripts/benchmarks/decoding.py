"""Preparing a zip file of images, compared with bare Pillow loops over it, and training on the prepared file.

A bare loop does the least that training on images needs: read a member, decode it, turn it to RGB and to an
array, once as it is and once resized as ganctl does. It keeps nothing, and neither crops nor looks for EXIF data,
transparency and bad files. The start of Python counts for all; for ganctl, what `ganctl data info` takes (imports,
the table of contents) is subtracted.
Processor time tells the sides apart where other work disturbs the clock.
"""

import argparse
import io
import os
import resource
import statistics
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from scripts.benchmarks.commands import GANCTL, seconds
from scripts.benchmarks.runner import run
from scripts.benchmarks.table import Column, Row, Table
from scripts.benchmarks.turns import ROOT

BARE = """
import io, multiprocessing, sys, zipfile
import numpy as np
from PIL import Image

count, side = int(sys.argv[2]), int(sys.argv[3])

def decode(part):
    archive = zipfile.ZipFile(sys.argv[1])
    names = [name for name in archive.namelist() if not name.endswith("/")]
    for name in names[part::count]:
        image = Image.open(io.BytesIO(archive.read(name))).convert("RGB")
        np.asarray(image.resize((side, side), Image.Resampling.LANCZOS) if side else image)

processes = [multiprocessing.get_context("fork").Process(target=decode, args=(part,))
             for part in range(count)]
for process in processes:
    process.start()
for process in processes:
    process.join()
"""
IMAGES, SIDE = 8_000, 256
RESIZED = 64
"""Pixels a side that `data=folder` takes of such images."""

Cost = tuple[float, float]
"""Seconds from start to end, and seconds of processor time, of all processes together."""


@contextmanager
def images(given: str | None) -> Iterator[Path]:
    """Yield the zip file that was given, or one of JPEG images of smooth noise."""
    if given is not None:
        yield Path(given).resolve()
        return
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.zip")
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(IMAGES):
                small = Image.fromarray(random.integers(0, 256, (SIDE // 8, SIDE // 8, 3), np.uint8))
                file = io.BytesIO()
                small.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, "jpeg", quality=90)
                archive.writestr(f"{number:05d}.jpg", file.getvalue())
        yield path


def cost(words: tuple[str, ...]) -> Cost:
    """Return what a command costs, one thread a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall = seconds(("env", "OMP_NUM_THREADS=1", *words), ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def prepare(archive: Path, workers: int) -> Cost:
    """Return what decoding into an empty cache costs: all of `ganctl data prepare` less what `info` takes too."""
    with tempfile.TemporaryDirectory() as cache:
        words = (f"path={archive}", f"cache={cache}", f"workers={workers}", f"resolution={RESIZED}")
        base = cost((*GANCTL, "data", "info", *words))
        whole = cost((*GANCTL, "data", "prepare", *words))
        return whole[0] - base[0], whole[1] - base[1]


def stalls(archive: Path, options: argparse.Namespace) -> Row:
    """Return how long a small network's steps wait for images of the archive."""
    with tempfile.TemporaryDirectory() as cache:
        words = ["data=folder", f"data.path={archive}", f"data.cache={cache}", f"device.name={options.device}"]
        words += ["model.generator.width=8", "model.discriminator.width=8", "sample.every=0"]
        told, waited = run([*words, f"train.steps={options.steps}"])
    return {
        "work": f"{told['steps']:,} steps of a small DCGAN, of which {waited:.2%} waited for data",
        "seconds": told["seconds"]["steps"],
        "pictures_per_second": told["images_per_second"],
        "processor": None,
    }


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Decode in turns, then train."""
    many = options.threads or os.cpu_count() or 1
    with images(options.archive) as archive:
        with zipfile.ZipFile(archive) as opened:
            count = sum(not name.endswith("/") for name in opened.namelist())
        bare = (sys.executable, "-c", BARE, str(archive))
        sides: dict[str, Callable[[], Cost]] = {
            "bare Pillow, 1 process": lambda: cost((*bare, "1", "0")),
            f"bare Pillow, {many} processes": lambda: cost((*bare, str(many), "0")),
            f"bare Pillow and its Lanczos, {many} processes": lambda: cost((*bare, str(many), str(RESIZED))),
            f"`ganctl data prepare`, {many} processes": lambda: prepare(archive, many),
        }
        costs: dict[str, list[Cost]] = {name: [] for name in sides}
        for _ in range(options.rounds):
            for name, work in sides.items():
                costs[name].append(work())
        for name, values in costs.items():
            wall, processor = (statistics.median(value[part] for value in values) for part in (0, 1))
            yield {"work": name, "seconds": wall, "pictures_per_second": count / wall, "processor": processor}
        yield stalls(archive, options)


TABLE = Table(
    "decoding",
    "a zip file of images: decoding, compared in turns with bare Pillow loops, and training on the prepared file",
    (
        Column("work", "work", right=False),
        Column("seconds", "time", "{:.2f} s"),
        Column("pictures_per_second", "images/s", "{:,.0f}"),
        Column("processor", "processor time", "{:.2f} s"),
    ),
    rows,
)
