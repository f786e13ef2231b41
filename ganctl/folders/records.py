"""What a run's folder tells of it, read without torch: for tables of runs, and to follow one that trains."""

import fcntl
import os
import platform
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from ganctl.checkpoints.untrusted import QuickLoader, parse_json, read_yaml
from ganctl.errors import CheckpointError
from ganctl.folders.scores import Best, MeasuredNumber, best_of, measured
from ganctl.folders.untyped import flat, mapping, number, numbers_of, tail, text, whole
from ganctl.plugins import named_in
from ganctl.runtime.bounded import opened, read_text
from ganctl.runtime.console import shell_word
from ganctl.runtime.signals import lives

ENDED = ("complete", "stopped", "diverged", "failed")
"""Of what run.json says, that which stays true when the process is gone."""

GOING_ON = ("running", "elsewhere")
"""Statuses of a run that a process works on, as far as can be known."""

LONGEST_FILE = 16 << 20
"""Bytes of run.json and evaluation.json; an evaluation of ten metrics has about 10,000."""


class RunRecord:
    """A run as its folder tells of it at this moment; `name` is what it is called in tables.

    Whatever is missing, half written, or not ganctl's is left out, and told in `faults`; nothing is raised for it.
    `status` is one of `ENDED`; running, if a process of this machine trains in the folder; elsewhere, if one of
    another machine is said to; interrupted, if its process was killed; or damaged, if run.json cannot be read.
    """

    def __init__(self, path: Path, name: str | None = None) -> None:
        self.path = path
        self.name = name or path.name
        self.faults: list[str] = []
        told = self._told = self._read("run.json")
        self.config = self._read_config()
        self.settings = dict(flat(self.config))
        self.numbers, self.evaluated = self._rows()
        self.best = self._best()
        self.evaluations = self._evaluations()
        self.status = self._status()
        steps = (whole(told.get("step")), whole(self.numbers.get("step")), whole(self.evaluated.get("step")))
        self.step = max((step for step in steps if step is not None), default=None)
        self.steps = whole(told.get("steps")) or whole(self.settings.get("train.steps"))
        self.saved = whole(told.get("saved"))
        self.data = text(told.get("data"))
        self.environment = {key: value for key, value in mapping(told, "environment").items() if text(value)}
        self.seconds = numbers_of(mapping(told, "seconds"))
        self.changed = self._changed()

    @property
    def going_on(self) -> bool:
        """Whether a process works on it, as far as can be known."""
        return self.status in GOING_ON

    @property
    def owner(self) -> str:
        """The process that trains, or trained last."""
        return f"process {self._told.get('process', '?')} on {self._told.get('host', '?')}"

    @property
    def ended(self) -> str | None:
        """Why it was complete before its last step; None if it was not."""
        return text(self._told.get("ended")) if self.status == "complete" else None

    @property
    def progress(self) -> float | None:
        """The share of its steps that is done, 0–1; None if that is unknown."""
        return None if self.step is None or not self.steps else min(1.0, self.step / self.steps)

    @property
    def images_per_second(self) -> float | None:
        """The speed where numbers were logged last; None before."""
        return self.numbers.get("images_per_second") or number(self._told.get("images_per_second")) or None

    @property
    def seconds_left(self) -> float | None:
        """How long it will still train at that speed; None if it does not train, or that is unknown."""
        images, step = self.numbers.get("images"), self.numbers.get("step")
        speed = self.images_per_second
        if self.status != "running" or not (images and step and speed and self.steps) or self.step is None:
            return None
        return max(0, self.steps - self.step) * images / step / speed

    def command(self, name: str) -> str:
        """Return the command line by which ganctl does something with the run."""
        plugins = named_in(self.environment)
        return f"ganctl {name} {shell_word(self.path)}" + (f" plugins=[{','.join(plugins)}]" if plugins else "")

    def fields(self) -> dict[str, Any]:
        """Return all of it by name, as `--json` prints it."""
        kept = (
            "name",
            "status",
            "step",
            "steps",
            "progress",
            "images_per_second",
            "seconds_left",
            "saved",
            "ended",
        )
        return {
            **{key: getattr(self, key) for key in kept},
            "path": str(self.path),
            "changed": self.changed,
            "numbers": self.numbers,
            "evaluated": self.evaluated,
            "best": self.best,
            "evaluations": self.evaluations,
            "data": self.data,
            "config": self.config,
            "environment": self.environment,
            "seconds": self.seconds,
            "faults": self.faults,
        }

    def checkpoints(self) -> list[tuple[str, int]]:
        """Return the checkpoints on disk by name, each with its bytes."""
        found = []
        with suppress(OSError), os.scandir(self.path / "checkpoints") as entries:
            for entry in entries:
                if entry.name.endswith(".safetensors") and not entry.name.startswith("."):
                    with suppress(OSError):
                        found.append((entry.name, entry.stat().st_size))
        return sorted(found)

    def health(self) -> list[str]:
        """Return the warnings of run.log about a player's health, the newest last."""
        lines = (line.decode(errors="replace") for line in tail(self.path / "run.log"))
        return [line for line in lines if re.match(r"\S+ \S+  health  ", line)]

    def _read(self, name: str) -> dict[str, Any]:
        """Return a JSON file of the folder, which may lack it; one that cannot be read is a fault."""
        try:
            values = parse_json(read_text(self.path / name, LONGEST_FILE))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            self.faults.append(f"{name}: cannot be read ({error})")
            return {}
        if not isinstance(values, dict):
            self.faults.append(f"{name}: not what ganctl writes")
            return {}
        return values

    def _read_config(self) -> dict[str, Any]:
        try:
            return read_yaml(self.path / "config.yaml", QuickLoader)
        except CheckpointError as error:
            self.faults.append(str(error).removeprefix(f"{self.path}/"))
            return {}

    def _rows(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return the numbers that were logged last, and those of the last evaluation while training."""
        trained: dict[str, float] = {}
        evaluated: dict[str, float] = {}
        lines = tail(self.path / "metrics.jsonl")
        damaged = 0
        for line in reversed(lines):
            if trained and (evaluated or b'"evaluate/' not in line):
                continue
            try:
                row = numbers_of(parse_json(line.decode()))
            except ValueError:
                damaged += 1
                continue
            if "images" in row:
                trained = trained or row
            elif any(key.startswith("evaluate/") for key in row):
                evaluated = evaluated or row
        if damaged:
            self.faults.append(f"metrics.jsonl: {damaged:,} of its last lines cannot be read")
        return trained, evaluated

    def _best(self) -> Best | None:
        path = self.path / "checkpoints/best.safetensors"
        try:
            return best_of(path) if os.path.exists(path) else None
        except CheckpointError as error:
            self.faults.append(str(error).removeprefix(f"{self.path}/"))
            return None

    def _evaluations(self) -> list[MeasuredNumber]:
        found = self._read("evaluation.json").get("evaluations", [])
        if not isinstance(found, list):
            self.faults.append("evaluation.json: not what ganctl writes")
            return []
        return [each for one in found if isinstance(one, dict) for each in measured(one)]

    def _status(self) -> str:
        if not self._told:
            if not any(fault.startswith("run.json") for fault in self.faults):
                self.faults.append("run.json: is missing or empty")
            return "damaged"
        status = self._told.get("status")
        if self._is_trained_here():
            return "running"
        if status in ENDED:
            return str(status)
        if status not in ("running", None):
            self.faults.append(f"run.json: unknown status {status!r}")
            return "damaged"
        here = self._told.get("host") == platform.node()
        return "interrupted" if here else "elsewhere"

    def _is_trained_here(self) -> bool:
        """Return whether the process that run.json names lives here and holds the folder's lock.

        The lock is tried only where that process lives, so that none that starts finds it taken by this look.
        """
        process = whole(self._told.get("process"))
        if self._told.get("host") != platform.node() or not process or process >= 1 << 31:
            return False
        if not lives(process):
            return False
        try:
            with opened(self.path / ".lock") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def _changed(self) -> float | None:
        """Return when its numbers or status changed last, in seconds since 1970."""
        times = []
        for name in ("run.json", "metrics.jsonl", "config.yaml"):
            with suppress(OSError):
                times.append((self.path / name).stat().st_mtime)
        return max(times, default=None)

    def age(self) -> float | None:
        """Return how many seconds ago that was."""
        return None if self.changed is None else max(0.0, time.time() - self.changed)


def records_in(folder: Path) -> tuple[list[RunRecord], int]:
    """Return the runs of a folder, and of the folders in it, oldest change first; and how many folders hold none.

    A folder that is a run itself is the only one. Raises `OSError` if it cannot be read.
    """
    if is_run(folder):
        return [RunRecord(folder)], 0
    found: list[RunRecord] = []
    others = 0
    for path in _folders(folder):
        if is_run(path):
            found.append(RunRecord(path))
            continue
        below: list[Path] = []
        with suppress(OSError):
            below = [each for each in _folders(path) if is_run(each)]
        found += [RunRecord(each, f"{path.name}/{each.name}") for each in below]
        others += not below
    return sorted(found, key=lambda record: (record.changed or 0, record.name)), others


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return sorted(Path(entry) for entry in entries if not entry.name.startswith(".") and os.path.isdir(entry))


def is_run(folder: Path) -> bool:
    """Return whether a folder holds anything by which a run is known; not for one that cannot be looked into."""
    return any(os.path.exists(folder / name) for name in ("config.yaml", "run.json", "checkpoints"))
