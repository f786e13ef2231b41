"""docs/results/<table>.json: every run of a table that is in, with all that the page needs of it."""

import hashlib
import json
import os
import platform
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock
from PIL import Image

from ganctl.config import TrainConfig
from ganctl.folders.run_folder import RunFolder
from ganctl.migrations import as_first_named
from ganctl.runtime.disk import write_whole
from scripts.tables.table import Job, command

FOLDER = Path("docs/results")
PICTURES = Path("docs/images/results")
WIDEST = 280
"""Pixels to which wider sample images are reduced for the page."""

ON_THE_WAY = "evaluate/{metric}/{number}"
"""The key in metrics.jsonl of a number that a run measured on the way."""

Record = dict[str, Any]


def read(table: str) -> list[Record]:
    """Return the records of a table, by row and seed; none if there is no file yet."""
    path = FOLDER / f"{table}.json"
    runs: list[Record] = json.loads(path.read_text())["runs"] if path.is_file() else []
    return runs


def add(table: str, record: Record) -> list[str]:
    """Put a record into the file of its table; return the runs that made way.

    A record of the same run makes way, and so do those of the same row with other settings: one row, one recipe.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with FileLock(Path("outputs", f".{table}.lock")):
        runs = read(table)
        group, same = ("part", "row"), ("part", "row", "seed")
        other = [
            run
            for run in runs
            if all(run[key] == record[key] for key in group) and run["settings"] != record["settings"]
        ]
        kept = [run for run in runs if run not in other and any(run[key] != record[key] for key in same)]
        kept = sorted([*kept, record], key=lambda run: (run["part"], run["row"], run["seed"]))
        lines = ",\n".join(f"  {json.dumps(run, ensure_ascii=False)}" for run in kept)
        write_whole(FOLDER / f"{table}.json", f'{{"table": "{table}", "runs": [\n{lines}\n]}}\n'.encode())
    return [run["name"] for run in other if run["seed"] != record["seed"]]


def settings(config: TrainConfig, asked: Mapping[str, Any]) -> str:
    """Return a digest of all that a row's numbers depend on but the seed.

    The classifier of colour images is left out: these tables ask about points and grey digits.
    """
    identity = {key: value for key, value in config.identity().items() if key != "seed"}
    features = {key: value for key, value in asked.get("features", {}).items() if key != "colour"}
    question = dict(asked) | ({"features": features} if features else {})
    told = json.dumps([as_first_named(identity), config.train.steps, question], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def record(job: Job, config: TrainConfig, asked: Mapping[str, Any], evaluation: Record | None) -> Record:
    """Return what is to be known of a run that has ended: complete and measured, or diverged (no evaluation).

    Seconds of training are images divided by the median of the speeds that were logged: what an interruption,
    pictures, checkpoints and evaluations took is not among them.
    """
    folder = RunFolder(Path("outputs", job.name))
    status = folder.read_status()
    images, speed, on_the_way = course(job, folder.metrics)
    plain = Job(job.table, job.part, job.row, job.seed)
    return {
        "name": job.name,
        "part": job.part.key,
        "row": job.row.key,
        "seed": job.seed,
        "status": "diverged" if evaluation is None else "complete",
        "step": status.get("step"),
        "steps": config.train.steps,
        "images": images,
        "images_per_second": round(speed, 1) if speed else None,
        "seconds": {
            "training": round(images / speed, 1) if speed else None,
            "evaluation": None if evaluation is None else evaluation["seconds"],
        },
        "numbers": {} if evaluation is None else _numbers(evaluation),
        "on_the_way": on_the_way,
        "accuracy": None if evaluation is None else evaluation["features"]["accuracy"],
        "settings": settings(config, asked),
        "commands": [command(plain.train), command(plain.evaluate)],
        "hardware": hardware(),
        "environment": status.get("environment", {}),
        "not_bit_exact": status.get("not_bit_exact", []),
    }


def course(job: Job, metrics: Path) -> tuple[int, float | None, list[list[float]]]:
    """Return the samples that a run's discriminator has seen, its median speed, and what was measured on the way.

    The last are seconds of training and the number of the table's first column.
    """
    rows = [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.exists() else []
    logged = [row for row in rows if row.get("images_per_second")]
    if not logged:
        return 0, None, []
    speed = statistics.median([row["images_per_second"] for row in logged])
    last, first = logged[-1], job.table.columns[0]
    seconds_a_step = last["images"] / last["step"] / speed
    key = ON_THE_WAY.format(metric=first.metric, number=first.number)
    measured = [[round(row["step"] * seconds_a_step, 1), row[key]] for row in rows if row.get(key) is not None]
    return int(last["images"]), speed, measured


def _numbers(evaluation: Record) -> dict[str, dict[str, dict[str, float]]]:
    """Return means and real-vs-real baselines by metric and name."""
    return {
        metric: {name: {"value": number["mean"], "floor": number["floor"]} for name, number in numbers.items()}
        for metric, numbers in evaluation["numbers"].items()
    }


def hardware() -> str:
    """Return the processor's name and number of cores; a card is in each run's environment."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    named = dict(re.findall(r"^(model name|cpu family|model)\s*: (.*)$", text, re.MULTILINE))
    name = named.get("model name", platform.processor() or platform.machine())
    kind = (
        f" (family {named['cpu family']}, model {named['model']})" if {"cpu family", "model"} <= set(named) else ""
    )
    return f"{name}{kind}, {os.cpu_count()} cores"


def picture_of(group: str) -> Path:
    """Return the path of a row's sample image."""
    return PICTURES / f"{group}.png"


def keep_picture(job: Job, records: Sequence[Record]) -> None:
    """Copy the last sample image of a run for the page, if no run of its row with a lower seed is in."""
    mine = [run for run in records if (run["part"], run["row"]) == (job.part.key, job.row.key)]
    if job.seed > min((run["seed"] for run in mine if run["status"] == "complete"), default=job.seed):
        return
    samples = Path("outputs", job.name, "samples")
    last = max(samples.glob("step-????????.png"), default=None)
    if last is None:
        return
    with Image.open(last) as file:
        picture = file.convert("RGB")
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, WIDEST * picture.height // picture.width), Image.Resampling.LANCZOS)
    PICTURES.mkdir(parents=True, exist_ok=True)
    few = picture.quantize(64, dither=Image.Dither.NONE)
    few.save(picture_of(job.group), optimize=True)
