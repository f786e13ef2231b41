"""What the page of a report shows: texts for its tables, numbers of its plots, and sample grids."""

import colorsys
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from ganctl.commands.tracking import telling
from ganctl.commands.tracking.comparing import Rows, differing, remarks, scores
from ganctl.commands.tracking.reports.curves import AXES, Curves, read_curves, sections
from ganctl.commands.tracking.reports.pictures import Pictures, read_pictures
from ganctl.commands.tracking.reports.repetitions import averaged, repeated
from ganctl.commands.tracking.reports.swept import SweptJobs
from ganctl.errors import one_line
from ganctl.folders.records import RunRecord
from ganctl.runtime.console import shell_word
from ganctl.runtime.intervals import quantile

POINTS, FEWEST_POINTS, ALL_POINTS = 500, 50, 10_000
"""Of a curve: at most, at least, and those of all runs together, between which the number of runs decides."""

PICTURES = 2_000_000
"""Bytes that the sample grids of all runs take together; each run keeps at least one."""

MOST_COLUMNS = 60
"""Settings, and scores, that the table shows."""

ALONE = ("data.name", "model.name", "loss.name")
"""Settings by which groups of runs are called that differ in nothing else."""

MOST_LINES = 20
"""Lines about a run's health that are shown; the newest."""

COLOURS = (
    "#3b7dd8",
    "#e0772f",
    "#2f9e6e",
    "#c94f7c",
    "#8a63d2",
    "#b08a1e",
    "#1f9fb3",
    "#a0522d",
    "#7a8a3a",
    "#d65a4a",
)
"""Of the first runs, seen on white and on black; later ones go round the circle of hues."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table: its text, and by what its column is sorted; None is last."""

    text: str
    value: float | str | None


def document(records: Sequence[RunRecord], sweeps: Sequence[SweptJobs], title: str) -> dict[str, Any]:
    """Return what the page shows of runs, by name; `data` is what its script reads, the rest its tables."""
    settings = _ordered(differing(records))
    found = scores(records)
    points = min(POINTS, max(FEWEST_POINTS, ALL_POINTS // len(records)))
    curves = [read_curves(record.path / "metrics.jsonl", points) for record in records]
    pictures = [read_pictures(record.path / "samples", PICTURES // len(records)) for record in records]
    notes = remarks(records)
    notes += [fault for sweep in sweeps for fault in sweep.faults]
    for record, numbers, images in zip(records, curves, pictures, strict=True):
        notes += [f"{record.name}: {fault}" for fault in [*numbers.faults, *images.faults]]
    if max(len(settings), len(found)) > MOST_COLUMNS:
        notes.append(f"only {MOST_COLUMNS} of the settings that differ, and of the scores, are shown")
        settings, found = (dict([*rows.items()][:MOST_COLUMNS]) for rows in (settings, found))
    groups = repeated(records)
    return {
        "title": one_line(title),
        "notes": [one_line(note) for note in notes],
        "columns": [one_line(label) for label in _columns(records, settings, found)],
        "runs": [
            _of_run(record, number, _columns(records, settings, found), sweeps)
            for number, record in enumerate(records)
        ],
        "seeds": _seeds(records, groups, found),
        "jobs": [_job(words, record) for sweep in sweeps for words, record in sweep.jobs],
        "data": _data(records, groups, settings, found, curves, pictures),
    }


def _ordered(rows: Rows) -> Rows:
    """Return settings with those first that name a choice, such as loss.name, and echoes of others last."""
    rows = dict(sorted(rows.items(), key=lambda row: (not row[0].endswith(".name"), row[0])))
    return _without_echoes(rows) | rows


def _without_echoes(rows: Rows) -> Rows:
    """Return the first of settings that part runs in the same way, such as the learning rates of both players."""
    first: dict[tuple[int, ...], str] = {}
    for key, row in rows.items():
        first.setdefault(tuple(row.index(value) for value in row), key)
    return {key: rows[key] for key in first.values()}


def _columns(records: Sequence[RunRecord], settings: Rows, found: Rows) -> dict[str, list[Cell]]:
    """Return the columns of the table of runs after their names: what is looked for first comes first."""
    columns = {
        "status": [Cell(record.status, record.status) for record in records],
        "step": [Cell(telling.steps(record), record.step) for record in records],
        "images/s": [Cell(telling.speed(record), record.images_per_second) for record in records],
    }
    data = [*dict.fromkeys(record.data for record in records if record.data is not None)]
    if len(data) > 1:
        numbers = [None if record.data is None else data.index(record.data) + 1 for record in records]
        columns["data #"] = [Cell("" if number is None else str(number), number) for number in numbers]
    columns |= {label: [_scored(score) for score in row] for label, row in found.items()}
    return columns | {
        key.removesuffix(".name"): [Cell(one_line(telling.setting(value)), _sortable(value)) for value in row]
        for key, row in settings.items()
    }


def _scored(score: Any) -> Cell:
    if score is None:
        return Cell("", None)
    told = telling.interval(score) if hasattr(score, "half_width") else telling.kept(score)
    return Cell(one_line(told), score.value)


def _sortable(value: Any) -> float | str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return one_line(telling.setting(value)) or None
    return value


def _of_run(
    record: RunRecord, number: int, columns: dict[str, list[Cell]], sweeps: Sequence[SweptJobs]
) -> dict[str, Any]:
    jobs = [job for sweep in sweeps for job in sweep.jobs]
    words = (told["words"] for told, each in jobs if each and os.path.samefile(each.path, record.path))
    more = " train.steps=…" if record.status == "complete" else ""
    commands = {"go on": record.command("resume") + more, "sample": record.command("sample")}
    commands["vary"] = f"ganctl train from={shell_word(record.path)} key=…"
    config = yaml.safe_dump(record.config, sort_keys=False, allow_unicode=True) if record.config else ""
    return {
        "name": one_line(record.name),
        "colour": colour(number),
        "status": record.status,
        "cells": [cells[number] for cells in columns.values()],
        "words": one_line(next(words, "")),
        "commands": commands,
        "environment": {one_line(key): one_line(value) for key, value in record.environment.items()},
        "health": [one_line(line) for line in record.health()[-MOST_LINES:]],
        "config": "\n".join(map(one_line, config.splitlines())),
    }


def _seeds(records: Sequence[RunRecord], groups: Sequence[Sequence[int]], found: Rows) -> list[dict[str, Any]]:
    """Return what is told of runs that differ in their seed alone: settings, seeds, steps, and mean scores."""
    told = []
    for places, label in zip(groups, _labels(records, groups), strict=True):
        steps = sorted({step for place in places if (step := records[place].step) is not None})
        told.append(
            {
                "label": label,
                "seeds": one_line(", ".join(str(records[place].settings.get("seed")) for place in places)),
                "steps": " to ".join(f"{step:,}" for step in dict.fromkeys(steps[:1] + steps[-1:])),
                "scores": {one_line(key): text for key, text in averaged(places, found).items()},
            }
        )
    return told


def _labels(records: Sequence[RunRecord], groups: Sequence[Sequence[int]]) -> list[str]:
    """Return the settings that all have, and in which groups differ, as they are typed; the first few."""
    firsts = [records[places[0]] for places in groups]
    rows = {key: row for key, row in _without_echoes(_ordered(differing(firsts))).items() if None not in row}
    rows = rows or {key: [first.settings.get(key) for first in firsts] for key in ALONE}
    labels = []
    for number in range(len(groups)):
        told = {key.removesuffix(".name"): telling.setting(row[number]) for key, row in rows.items()}
        words = [f"{key}={value}" for key, value in told.items() if value]
        labels.append(one_line(" ".join(words[:3]) + (" …" if len(words) > 3 else "")))
    return labels


def _job(told: dict[str, str], record: RunRecord | None) -> dict[str, str]:
    name = "" if record is None else record.name
    return {key: one_line(value) for key, value in told.items()} | {"run": one_line(name)}


def _data(
    records: Sequence[RunRecord],
    groups: Sequence[Sequence[int]],
    settings: Rows,
    found: Rows,
    curves: Sequence[Curves],
    pictures: Sequence[Pictures],
) -> dict[str, Any]:
    shown = [
        {
            "name": one_line(record.name),
            "colour": colour(number),
            "tables": curves[number].tables,
            "pictures": [*pictures[number].by_step.items()],
        }
        for number, record in enumerate(records)
    ]
    return {
        "runs": shown,
        "axes": AXES,
        "sections": sections(name for each in curves for name in each.scalars()),
        "groups": [
            {"label": label, "runs": places}
            for places, label in zip(groups, _labels(records, groups), strict=True)
        ],
        "quantiles": {count: quantile(count) for count in range(2, max(map(len, groups), default=1) + 1)},
        "settings": {one_line(key): [_sortable(value) for value in row] for key, row in settings.items()},
        "scores": {
            one_line(label): [None if score is None else score.value for score in row]
            for label, row in found.items()
        },
    }


def colour(number: int) -> str:
    """Return the colour of a run by its number, #rrggbb."""
    if number < len(COLOURS):
        return COLOURS[number]
    channels = colorsys.hls_to_rgb(number * 0.618 % 1, 0.5, 0.5)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in channels)
