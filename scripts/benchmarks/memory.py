"""Anonymous memory of the default run on MNIST as its steps go by, without what importing torch takes."""

import argparse
from collections.abc import Iterator

from scripts.benchmarks.runner import words_of
from scripts.benchmarks.table import Column, Row, Table
from scripts.benchmarks.turns import Side

LOOKS = 10


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Take the run's steps by tenths, with the logs, images and checkpoints that are due."""
    words = words_of(options)
    told = {"kind": "whole", "device": options.device, "threads": options.threads, "words": words}
    with Side(told) as side:
        for look in range(1, LOOKS + 1):
            _, held = side.take(options.steps // LOOKS)
            yield {"steps": options.steps // LOOKS * look, "memory": held}


TABLE = Table(
    "memory",
    "anonymous memory of the default run on MNIST, without what importing torch takes",
    (Column("steps", "after step", "{:,}"), Column("memory", "memory", "{} MiB")),
    rows,
)
