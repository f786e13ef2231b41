"""How runs are told in words."""

import math
from typing import Any

from rich.text import Text

from ganctl.folders.records import RunRecord
from ganctl.folders.scores import Best, MeasuredNumber
from ganctl.runtime.console import clock
from ganctl.runtime.printing import plain

STYLES = {"running": "green", "complete": "", "diverged": "red", "failed": "red", "damaged": "red"}
"""How statuses are coloured; others are yellow."""


def status(record: RunRecord) -> Text:
    """Return a run's status in its colour."""
    return plain(record.status, STYLES.get(record.status, "yellow"))


def setting(value: Any) -> str:
    """Return a setting as it is typed; empty where there is none."""
    if isinstance(value, list):
        return f"[{','.join(map(setting, value))}]"
    return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)


def steps(record: RunRecord) -> str:
    """Return how many steps are done, of how many."""
    done, of = ("?" if value is None else f"{value:,}" for value in (record.step, record.steps))
    return f"{done}/{of}"


def share(record: RunRecord) -> str:
    """Return the share of its steps that is done, in percent; 100 % only for all of them."""
    return "" if record.progress is None else f"{math.floor(100 * record.progress)} %"


def speed(record: RunRecord) -> str:
    """Return its speed in images per second."""
    return "" if record.images_per_second is None else f"{record.images_per_second:,.0f}"


def left(record: RunRecord) -> str:
    """Return how long it will still train."""
    return "" if record.seconds_left is None else clock(min(record.seconds_left, 1e9))


def kept(best: Best) -> str:
    """Return the score for which a checkpoint was kept as the best."""
    return f"{best.number} {best.value:.4g}"


def score(record: RunRecord) -> str:
    """Return the score of the best checkpoint; without one, the first number of the metric evaluated last."""
    if record.best is not None:
        return kept(record.best)
    first = next((each for each in record.evaluations if each.question == record.evaluations[-1].question), None)
    return "" if first is None else f"{first.number} {interval(first)}"


def interval(measured: MeasuredNumber) -> str:
    """Return a number that was measured, with its interval if it has one."""
    around = "" if measured.half_width is None else f" ± {measured.half_width:.2g}"
    return f"{measured.value:.4g}{around}"


def ago(seconds: float | None) -> str:
    """Return how long ago something was, in its largest unit."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds is not None and seconds >= size:
            return f"{seconds // size:,.0f} {unit} ago"
    return "" if seconds is None else f"{seconds // 1:.0f} s ago"
