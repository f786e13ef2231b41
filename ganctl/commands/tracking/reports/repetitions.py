"""Runs that differ in their seed alone, and their scores as a mean with an interval."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from statistics import StatisticsError
from typing import Any

from ganctl.folders.records import RunRecord
from ganctl.runtime.intervals import interval

NO_DIFFERENCE = {"name", "seed"}
"""Settings in which repetitions of one run differ."""


def repeated(records: Sequence[RunRecord]) -> list[list[int]]:
    """Return the places of runs that differ in their seed alone, two or more; of one seed the first run counts."""
    found: dict[tuple[str, str | None], dict[Any, int]] = {}
    for place, record in enumerate(records):
        if record.settings:
            others = {key: value for key, value in record.settings.items() if key not in NO_DIFFERENCE}
            group = found.setdefault((json.dumps(others, sort_keys=True, default=str), record.data), {})
            group.setdefault(str(record.settings.get("seed")), place)
    return [[*group.values()] for group in found.values() if len(group) > 1]


def averaged(places: Sequence[int], scores: Mapping[str, Sequence[Any]]) -> dict[str, str]:
    """Return the mean of each score over runs, with its interval of 95 % and of how many runs it is."""
    told = {}
    for label, row in scores.items():
        values = [row[place].value for place in places if row[place] is not None]
        with suppress(OverflowError, StatisticsError):  # of numbers near the largest, and of none
            mean = interval(values)
            around = "" if mean.half_width is None else f" ± {mean.half_width:.2g}"
            told[label] = f"{mean.mean:.4g}{around} (n = {len(values)})"
    return told
