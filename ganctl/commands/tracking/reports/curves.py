"""The numbers of metrics.jsonl as curves: read line by line, and thinned to so many points."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from ganctl.checkpoints.untrusted import parse_json
from ganctl.folders.untyped import numbers_of
from ganctl.runtime.bounded import opened

EVALUATION = b'"evaluate/'
"""What marks the line of an evaluation while training; such lines are fewer, and thinned by themselves."""

LONGEST_LINE = 64 << 10
"""Bytes of a line that is read; one of numbers has about 900."""

LONGEST_LOG = 1 << 30
"""Bytes of a log that are read: about a million lines."""

MOST_SCALARS = 200
"""Curves of one run."""

DIGITS = 4
"""Significant ones of a number in the report."""

SECTIONS = {
    "Losses": ("loss/",),
    "Probabilities and logits": ("probability/", "logits/"),
    "Scores while training": ("evaluate/",),
    "Health": ("health/", "accuracy"),
    "Gradients and terms": ("gradient_norm/", "term/"),
    "Others": ("",),
    "System": ("system/", "images_per_second", "data_wait", "learning_rate/"),
}
"""What is looked for first comes first; a curve belongs to the section with the longest beginning of its name."""

AXES = ("step", "images")
"""Numbers over which curves are drawn."""

Table = dict[str, list[float | None]]
"""Numbers by name, those of one line at one place of each list."""


@dataclass
class Curves:
    """The tables of a run, of training and of evaluations, and what could not be read of its log."""

    tables: list[Table] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def scalars(self) -> Iterator[str]:
        """Yield the names of what is drawn."""
        for table in self.tables:
            yield from (key for key in table if key not in AXES)


def read_curves(path: Path, points: int) -> Curves:
    """Return the curves of a log, each of about `points` points at most, evenly thinned; the last line stays.

    A line without its end is one that is being written, and left out. Nothing is raised for what cannot be read.
    """
    found = Curves()
    rows: dict[bool, list[dict[str, float]]] = {False: [], True: []}
    damaged = 0
    try:
        with opened(path) as file:
            for line in _thinned(file, points):
                try:
                    rows[EVALUATION in line].append(numbers_of(parse_json(line.decode())))
                except ValueError:
                    damaged += 1
            if file.tell() >= LONGEST_LOG:
                found.faults.append(f"metrics.jsonl: only its first {LONGEST_LOG:,} bytes are drawn")
    except FileNotFoundError:
        return found
    except OSError as error:
        found.faults.append(f"metrics.jsonl: cannot be read ({error})")
    if damaged:
        found.faults.append(f"metrics.jsonl: {damaged:,} of the lines that would be drawn cannot be read")
    tables = [_table(rows[kind]) for kind in (False, True)]
    found.tables = [table for table in tables if len(table) > 1]
    if any(len(table) > MOST_SCALARS for table in tables):
        found.faults.append(f"metrics.jsonl: only {MOST_SCALARS} of its numbers are drawn")
    return found


def sections(scalars: Iterable[str]) -> dict[str, list[str]]:
    """Return names of curves by the sections in which they are drawn."""
    found: dict[str, list[str]] = {title: [] for title in SECTIONS}
    starts = [(start, title) for title, each in SECTIONS.items() for start in each]
    places: dict[str, tuple[int, str]] = {}
    for name in scalars:
        start, title = max((each for each in starts if name.startswith(each[0])), key=lambda each: len(each[0]))
        places[name] = starts.index((start, title)), title
    for name in sorted(places, key=lambda name: (places[name], name)):
        found[places[name][1]].append(name)
    return {title: names for title, names in found.items() if names}


def _thinned(file: BinaryIO, points: int) -> Iterator[bytes]:
    """Yield every k-th line of each kind and its last one; k doubles whenever they are more than `points`."""
    kept: dict[bool, list[bytes]] = {False: [], True: []}
    every, seen, last = Counter({False: 1, True: 1}), Counter[bool](), {False: b"", True: b""}
    for line in _lines(file):
        kind = EVALUATION in line
        last[kind] = line
        if seen[kind] % every[kind] == 0:
            kept[kind].append(line)
            if len(kept[kind]) > points:
                kept[kind] = kept[kind][::2]
                every[kind] *= 2
        seen[kind] += 1
    for kind, lines in kept.items():
        yield from lines
        if lines and lines[-1] is not last[kind]:
            yield last[kind]


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the whole lines; of one that is too long, its end, which is no JSON."""
    left = LONGEST_LOG
    while left > 0 and (line := file.readline(LONGEST_LINE)):
        left -= len(line)
        if line.endswith(b"\n"):
            yield line


def _table(rows: list[dict[str, float]]) -> Table:
    rows = [row for row in rows if "step" in row]
    keys = [*dict.fromkeys(key for row in rows for key in row)][: MOST_SCALARS + 1]
    return {key: [_rounded(row.get(key), key) for row in rows] for key in keys}


def _rounded(value: float | None, key: str) -> float | None:
    if value is None or key in AXES:
        return value
    return float(f"{value:.{DIGITS}g}")
