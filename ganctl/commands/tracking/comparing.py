"""In what runs differ: settings, numbers, and data of which numbers do not compare."""

from collections.abc import Sequence
from typing import Any

from ganctl.folders.records import RunRecord

Rows = dict[str, list[Any]]
"""Values by what they are, one for each run; None where it has none."""

OF_ITS_OWN = {"name"}
"""Settings in which every run differs."""

LAST = ("loss/generator", "loss/discriminator", "probability/real", "probability/fake")
"""The numbers of the last logged step that are compared."""


def differing(records: Sequence[RunRecord]) -> Rows:
    """Return the settings in which runs differ, by dotted key in alphabetical order."""
    keys = {key for record in records for key in record.settings} - OF_ITS_OWN
    rows = {key: [record.settings.get(key) for record in records] for key in sorted(keys)}
    return {key: values for key, values in rows.items() if any(value != values[0] for value in values)}


def side_by_side(records: Sequence[RunRecord]) -> Rows:
    """Return the numbers of runs, and what was evaluated: the newest answer of each to the same question."""
    rows: Rows = {
        "status": [record.status for record in records],
        "step": [record.step for record in records],
        "images_per_second": [record.images_per_second for record in records],
    }
    rows |= {key: [record.numbers.get(key) for record in records] for key in LAST}
    rows = {key: values for key, values in rows.items() if any(value is not None for value in values)}
    return rows | scores(records)


def scores(records: Sequence[RunRecord]) -> Rows:
    """Return the scores of best checkpoints, and of evaluations each run's newest answer to the same question."""
    rows: Rows = {}
    for by in dict.fromkeys(record.best.by for record in records if record.best is not None):
        rows[_free(rows, "best")] = [each.best if each.best and each.best.by == by else None for each in records]
    answers = [{(each.question, each.number): each for each in record.evaluations} for record in records]
    for key in dict.fromkeys(key for answer in answers for key in answer):
        found = [answer.get(key) for answer in answers]
        one = next(each for each in found if each is not None)
        rows[_free(rows, f"{one.number} ({one.way})")] = found
    return rows


def remarks(records: Sequence[RunRecord]) -> list[str]:
    """Return what keeps numbers from being compared: other data, and what could not be read."""
    notes = [f"{record.name}: {fault}" for record in records for fault in record.faults]
    data = dict.fromkeys(record.data for record in records if record.data is not None)
    if len(data) > 1:
        groups = (" and ".join(each.name for each in records if each.data == one) for one in data)
        notes.append(f"numbers of different data, which do not compare: {' — '.join(groups)}")
    return notes


def _free(rows: Rows, label: str) -> str:
    """Return a label that no row has yet: where another question is called the same, it is numbered."""
    number = 1
    name = label
    while name in rows:
        number += 1
        name = f"{label} #{number}"
    return name
