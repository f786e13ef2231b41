"""A whole run in a process of its own, and what it leaves behind."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ganctl.checkpoints import file as checkpoint

WALL_CLOCK = {"images_per_second", "data_wait"}


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start ganctl in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "ganctl", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def last_step(run: Path) -> int:
    """Return the last whole line's step in metrics.jsonl, or -1."""
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    whole = [line for line in lines if line.endswith("\n")]
    return int(json.loads(whole[-1])["step"]) if whole else -1


def numbers(run: Path) -> list[dict[str, Any]]:
    """Return metrics.jsonl without what the clock decides."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key not in WALL_CLOCK} for row in rows]


def events(run: Path) -> EventAccumulator:
    """Return TensorBoard's own reading of the run's event files, duplicates of a step included."""
    everything = {"scalars": 0, "images": 0, "tensors": 0}
    accumulator = EventAccumulator(str(run), size_guidance=everything, purge_orphaned_data=False)
    accumulator.Reload()
    return accumulator


def traces(run: Path) -> dict[str, Any]:
    """Return everything of a finished run that must not depend on how often it was interrupted."""
    newest = checkpoint.read_header(max((run / "checkpoints").glob("*.safetensors")))
    newest.read()  # raises unless every tensor has the sha256 that the header says
    board = events(run)
    return {
        "tensors": newest.tensors,
        "metrics": numbers(run),
        "pictures": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (run / "samples").glob("*.png")
        },
        "scalars": {
            tag: [(event.step, float(event.value).hex()) for event in board.Scalars(tag)]  # NaN equals NaN so
            for tag in board.Tags()["scalars"]
            if tag.removeprefix("system/") not in WALL_CLOCK
        },
        "images": [(event.step, event.encoded_image_string) for event in board.Images("samples")],
    }


def files(folder: Path) -> list[str]:
    """Return the paths of everything below a folder but logs moved aside; TensorBoard's files count as one."""
    names = (str(path.relative_to(folder)) for path in folder.rglob("*") if ".earlier-" not in path.name)
    return sorted({re.sub(r"(events\.out\.tfevents)\..*", r"\1", name) for name in names})


def whole_steps(run: Path) -> list[int]:
    """Return the steps of the checkpoints, newest first.

    Raises `CheckpointError` for one that does not read as it was written: no kill may leave such.
    """
    found = [checkpoint.read_header(path) for path in (run / "checkpoints").glob("step-*.safetensors")]
    for one in found:
        one.read()
    return sorted((one.header.step for one in found), reverse=True)
