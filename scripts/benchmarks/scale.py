"""What a step costs as images, networks, batches and data grow, one of them at a time."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace

from scripts.benchmarks.cases import DCGAN, random_images
from scripts.benchmarks.table import Column, Row, Table
from scripts.benchmarks.turns import in_turns


@dataclass(frozen=True)
class Size:
    """Random colour images, and the DCGAN that learns from them."""

    resolution: int = 32
    width: int = 64
    batch_size: int = 64
    samples: int = 10_000


RESOLUTIONS, WIDTHS = (16, 32, 64, 128), (16, 32, 64, 128)
BATCHES, SAMPLES = (16, 64, 256, 1024, 2048), (1_000, 10_000, 100_000, 1_000_000)


def sizes() -> Iterator[tuple[str, Size]]:
    """Yield what grows, and the sizes."""
    middle = Size()
    yield from (("resolution", replace(middle, resolution=side)) for side in RESOLUTIONS)
    yield from (("width", replace(middle, width=width)) for width in WIDTHS)
    yield from (("batch", replace(middle, batch_size=count)) for count in BATCHES)
    yield from (("data", replace(middle, resolution=16, samples=count)) for count in SAMPLES)


def words_of(size: Size, path: str, device: str) -> list[str]:
    """Return ganctl's words for a size."""
    widths = [f"model.{player}.width={size.width}" for player in ("generator", "discriminator")]
    common = [f"train.batch_size={size.batch_size}", f"device.name={device}", "train.steps=1000000", "penalty=[]"]
    return ["data=array", f"data.path={path}", *DCGAN, *widths, *common]


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Measure each size alone."""
    for grows, size in sizes():
        with random_images(size.resolution, size.samples) as path:
            words = [*words_of(size, path, options.device), *options.words]
            told = {"kind": "bare", "device": options.device, "threads": options.threads, "words": words}
            (found,) = in_turns([told], [size.batch_size], options.rounds, options.seconds)
        yield {
            "grows": grows,
            "resolution": size.resolution,
            "width": size.width,
            "batch_size": size.batch_size,
            "samples": size.samples,
            "images_per_second": found.median,
            "memory": found.memory,
        }


TABLE = Table(
    "scale",
    "a DCGAN on random colour images in auto precision, as one of its sizes grows",
    (
        Column("grows", "what grows", right=False),
        Column("resolution", "pixels a side"),
        Column("width", "width"),
        Column("batch_size", "batch"),
        Column("samples", "images", "{:,}"),
        Column("images_per_second", "images/s", "{:,.0f}"),
        Column("memory", "memory", "{:,} MiB"),
    ),
    rows,
)
