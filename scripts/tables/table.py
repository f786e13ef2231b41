"""What a table is: its protocol, its rows, the words of ganctl that fill them, and what was published."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

CONFIGS = "scripts/tables/configs"
"""The folder of recipes, from the root of the repository."""

EVERY_TRAINING = ("--config-dir", CONFIGS, "device.threads=1")
"""Words of every training: recipes, and one thread, since runs are trained side by side."""


@dataclass(frozen=True)
class Column:
    """A number of `ganctl evaluate`, by the metric's key and its name, and how it is written.

    With `after`, it is the number after so many seconds of training, from what the run measured on the way.
    """

    metric: str
    number: str
    heading: str
    digits: int
    percent: bool = False
    after: float | None = None

    def value(self, run: Mapping[str, Any]) -> float | None:
        """Return the number of a complete run's record; None if the run was over by then, or measured too rarely.

        Between two measurements, the number's logarithm is on a straight line.
        """
        if self.after is None:
            return float(run["numbers"][self.metric][self.number]["value"])
        points = run["on_the_way"]
        for (start, first), (end, last) in pairwise(points):
            if start <= self.after <= end:
                share = (self.after - start) / (end - start)
                return float(first ** (1 - share) * last**share)
        return None

    def text(self, values: Sequence[float]) -> str:
        """Return the mean of values, and ± its standard error where there are several; "–" for none."""
        if not values:
            return "–"
        scale, unit = (100, " %") if self.percent else (1, "")
        mean = math.fsum(values) / len(values)
        written = f"{mean * scale:,.{self.digits}f}"
        if len(values) > 1:
            written += f" ± {standard_error(values) * scale:,.{self.digits}f}"
        return written + unit


def standard_error(values: Sequence[float]) -> float:
    """Return the standard error of the mean of two or more independent values."""
    mean = math.fsum(values) / len(values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return math.sqrt(variance / len(values))


@dataclass(frozen=True)
class Row:
    """One line of a table: the words of its trainings (None: only published), and published numbers.

    `published` holds texts by the columns' numbers.
    """

    key: str
    label: str
    words: tuple[str, ...] | None
    published: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Part:
    """Rows that are compared with each other: those of one data set."""

    key: str
    """In the names of runs; empty where the table has one part only."""

    title: str
    rows: tuple[Row, ...]
    real: Mapping[str, str] = field(default_factory=dict)
    """Published numbers of real data, texts by the columns' numbers."""

    @property
    def trained(self) -> bool:
        """Whether any row is trained; else all numbers are published ones."""
        return any(row.words is not None for row in self.rows)


@dataclass(frozen=True)
class Table:
    """A table: runs of every row and seed, each measured by the same question."""

    name: str
    protocol: str
    deviations: tuple[str, ...]
    seeds: int
    """Runs of each row; they have the seeds from 0 on."""

    columns: tuple[Column, ...]
    parts: tuple[Part, ...]
    evaluate: tuple[str, ...]
    mnist: bool = False
    """Whether the data are MNIST's files, whose place `--mnist` tells."""

    tried: tuple[str, ...] = ()
    """What was found on the way to our own rows, better and worse."""
    figure: str | None = None
    """What the figures of the first column's number over time show: their caption; None for no figures."""


@dataclass(frozen=True)
class Job:
    """One run of a table."""

    table: Table
    part: Part
    row: Row
    seed: int
    place: tuple[str, ...] = ()
    """Words that name the data's folder."""

    @property
    def group(self) -> str:
        """The name without the seed."""
        return "-".join(filter(None, (self.table.name, self.row.key, self.part.key)))

    @property
    def name(self) -> str:
        """The name of the run, and of its folder."""
        return f"{self.group}-{self.seed}"

    @property
    def train(self) -> list[str]:
        """The words of the training."""
        assert self.row.words is not None
        return ["train", f"name={self.name}", *EVERY_TRAINING, *self.row.words, *self.place, f"seed={self.seed}"]

    @property
    def evaluate(self) -> list[str]:
        """The words of the evaluation."""
        return ["evaluate", f"ckpt=outputs/{self.name}", *self.table.evaluate, "device.threads=1"]


def jobs(table: Table, seeds: Sequence[int], place: tuple[str, ...] = ()) -> Iterator[Job]:
    """Yield the runs of a table, all rows of a seed before the next seed: what is in so far compares."""
    for seed in seeds:
        for part in table.parts:
            for row in part.rows:
                if row.words is not None:
                    yield Job(table, part, row, seed, place)


def command(words: Sequence[str]) -> str:
    """Return the words of ganctl as they are typed."""
    return " ".join(["ganctl", *words])
