"""Training steps and sampling compared with plain PyTorch, in turns."""

import argparse
import statistics
from collections.abc import Iterator
from typing import Any

from scripts.benchmarks.cases import CASES, Case, random_images, words_of
from scripts.benchmarks.table import Column, Row, Table
from scripts.benchmarks.turns import Measured, in_turns

SIDES = {
    "plain": ("plain PyTorch, fp32", "plain", "plain"),
    "resident": ("plain PyTorch, bf16, data on the device", "plain", "resident"),
    "strict": ("ganctl, strict fp32", "strict", "bare"),
    "auto": ("ganctl, auto precision", "auto", "bare"),
    "graphs": ("ganctl, auto, CUDA graphs", "graphs", "bare"),
    "runner": ("ganctl, auto, whole runner", "auto", "whole"),
}
"""What people call a side, its mode, and what takes its steps."""
ON_CUDA = ("resident", "graphs")
"""Sides that have a meaning on CUDA alone."""


def side(name: str, case: str, options: argparse.Namespace, rgb: str) -> dict[str, Any]:
    """Return what the worker of a side is told."""
    known = CASES[case]
    _, mode, kind = SIDES[name]
    common = {"kind": kind, "device": options.device, "threads": options.threads}
    if kind in ("plain", "resident"):
        return common | {"case": known.beside or case, "mnist": options.mnist, "rgb": rgb}
    words = words_of(known, mode, mnist=options.mnist, device=options.device, rgb=rgb)
    return common | {"kind": kind if known.kind == "step" else known.kind, "words": [*words, *options.words]}


def measure(case: str, options: argparse.Namespace) -> dict[str, Measured]:
    """Return what each side of a case measured."""
    known = CASES[case]
    names = [name for name in options.sides if known.kind == "step" or name not in ("runner", "graphs")]
    if not options.device.startswith("cuda"):
        names = [name for name in names if name not in ON_CUDA]
    with random_images(known.rgb) as rgb:
        sides = [side(name, case, options, rgb) for name in names]
        images = [CASES[told.get("case", case)].images for told in sides]
        return dict(zip(names, in_turns(sides, images, options.rounds, options.seconds), strict=True))


def rows_of(case: Case, found: dict[str, Measured]) -> list[Row]:
    """Return a row for each side: speed, its ratio to the plain loop turn by turn with least and most, memory."""
    base = found.get("plain", next(iter(found.values())))
    found_rows: list[Row] = []
    for name, measured in found.items():
        ratios = measured.ratios(base)
        found_rows.append(
            {
                "case": case.name,
                "batch_size": case.batch_size,
                "side": SIDES[name][0],
                "images_per_second": round(measured.median, 1),
                "ratio": round(statistics.median(ratios), 3),
                "least": round(min(ratios), 3),
                "most": round(max(ratios), 3),
                "memory": measured.memory,
            }
        )
    return found_rows


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Measure case by case."""
    for case in options.cases:
        yield from rows_of(CASES[case], measure(case, options))


TABLE = Table(
    "steps",
    "steps of training, and sampling, compared with plain PyTorch; ratios turn by turn",
    (
        Column("case", "work", right=False),
        Column("batch_size", "batch"),
        Column("side", "side", right=False),
        Column("images_per_second", "images/s", "{:,.0f}"),
        Column("ratio", "ratio", "{:.2f}×"),
        Column("least", "least", "{:.2f}"),
        Column("most", "most", "{:.2f}"),
        Column("memory", "memory", "{} MiB"),
    ),
    rows,
)
