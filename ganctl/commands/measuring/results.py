"""evaluation.json: where it is, what is in it, and a result more; nothing that anybody else wrote is lost."""

import errno
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from ganctl.commands.words.output import file_named, writing
from ganctl.errors import ConfigError, WriteError
from ganctl.folders.untyped import mapping
from ganctl.metrics import Baseline, Numbers
from ganctl.runtime.bounded import read_bytes
from ganctl.runtime.console import say
from ganctl.runtime.disk import alone, write_whole
from ganctl.runtime.intervals import interval

Result = dict[str, Any]
"""One answer of `ganctl evaluate`, as plain data."""

NAME = "evaluation.json"

LONGEST_FILE = 64 << 20
"""Bytes of evaluation.json; an evaluation of ten metrics has about 10,000."""

SAME = ("checkpoint", "step", "samples", "asked", "precision")
"""What two answers to one question have in common, besides the real images."""


def numbers_of(found: list[Numbers], baseline: Baseline | None) -> dict[str, Any]:
    """Return the numbers of each seed by metric and name: means, intervals, values, and the baseline."""
    lowest = baseline.numbers if baseline is not None else {}
    return {
        key: {
            name: asdict(interval([numbers[key][name] for numbers in found]))
            | {"floor": lowest.get(key, {}).get(name)}
            for name in named
        }
        for key, named in found[0].items()
    }


def floor_of(baseline: Baseline | None) -> dict[str, int] | None:
    """Return how many real samples the baseline compares with how many others."""
    return None if baseline is None else {"count": baseline.count, "reference": baseline.others}


def place(out: str | None, run: Path | None) -> Path:
    """Return where results go: to `out`, or into the run's folder, or without a run into the current one.

    Raises `ConfigError` for a file that is another's, or of another kind, `WriteError` where nothing can be
    written.
    """
    if out is None:
        path = (run or Path()) / NAME
    else:
        path = Path(out) if os.path.isfile(out) else file_named(out, {"json"}) or Path(out) / NAME
    with writing(path):  # a place that cannot be had is refused before anything is computed
        if path.is_dir():
            raise WriteError.of(path, errno.EISDIR)
    if not os.access(path.parent, os.W_OK):
        raise WriteError.of(path, errno.EACCES)
    if (out is not None or run is None) and earlier(path) is None:
        raise ConfigError(f"out: {path} is there and holds no evaluations; choose another name")
    return path


def add(path: Path, result: Result) -> None:
    """Add a result to the file, in place of an earlier one of the same question, while no other process does.

    A file that holds no results is kept under another name, which is reported. Raises `WriteError`.
    """
    try:
        with alone(path):
            found = earlier(path)
            if found is None:
                aside = path.with_name(f"{path.name}.damaged")
                path.replace(aside)
                say(f"{path}: holds no evaluations; it is kept as {aside.name}")
            others = [each for each in found or [] if _question(each) != _question(result)]
            write_whole(path, as_stored([*others, result]) + b"\n")
    except OSError as error:
        raise WriteError.of(path, error.errno) from error


def as_stored(results: list[Result]) -> bytes:
    """Return results as JSON; numbers that are not finite are null."""
    return to_json({"evaluations": results}, indent=2, inf_nan_mode="null")


def earlier(path: Path) -> list[Result] | None:
    """Return the results in a file, none where there is no file, None if it holds anything else."""
    if not path.exists():
        return []
    try:
        found = from_json(read_bytes(path, LONGEST_FILE))["evaluations"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, list) and all(isinstance(each, dict) for each in found) else None


def _question(result: Result) -> list[Any]:
    """Return what a result answers: what was measured, how, and against which images."""
    return [*(result.get(key) for key in SAME), mapping(result, "reference").get("fingerprint")]
