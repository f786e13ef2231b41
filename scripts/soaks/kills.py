"""Where in its life a process is, and the moments at which it can be made to kill itself.

Everything here is done to the modules of the process that calls it: one that is to be killed, and no other.
"""

import importlib
import mmap
import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganctl.data.sources import SOURCES
from ganctl.runs.desk import Desk

RUN = Path("outputs/run")
"""The run's folder, seen from where its process works."""

PHASES: dict[str, tuple[str, ...]] = {
    "start": (),
    "loading data": (),
    "building": ("ganctl.runs.start.build_game",),
    "opening the run": ("ganctl.runs.runner.Runner.__init__",),
    "between steps": ("ganctl.runs.runner.Runner.run",),
    "in a step": ("ganctl.runs.runner.train_step",),
    "logging": ("ganctl.runs.runner.measure", "ganctl.runs.desk.Desk.log"),
    "drawing": (
        "ganctl.runs.drawing.generate",
        "ganctl.runs.desk.Desk.image",
    ),
    "saving": (
        "ganctl.runs.desk.Desk.lengths",
        "ganctl.checkpoints.state.tensors",
        "ganctl.checkpoints.file.write",
        "ganctl.folders.checkpoint_folder.CheckpointFolder.prune",
        "ganctl.folders.run_folder.RunFolder.write_status",
    ),
    "ending": ("ganctl.runs.desk.Desk.close_logs",),
}
"""What a process is doing, by the functions that do it; the first is what it does before any of them."""

STAYS = {"ending"}
"""Phases that are not left again."""


class Whereabouts:
    """The phase of one process, in memory that it shares with the one it was forked from."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1)

    @property
    def phase(self) -> str:
        """What the process was doing last."""
        return list(PHASES)[self._memory[0]]

    def enter(self, phase: str) -> None:
        """Say what this process does from now on."""
        self._memory[0] = list(PHASES).index(phase)

    def watch(self) -> None:
        """Follow this process through the functions of `PHASES`."""
        for phase, places in PHASES.items():
            for place in places:
                self._follow(*found(place), phase)
        for name in SOURCES:
            self._follow(SOURCES[name], "load", "loading data")

    def _follow(self, owner: Any, name: str, phase: str) -> None:
        whole = getattr(owner, name)

        def followed(*arguments: Any, **named: Any) -> Any:
            before = self._memory[0]
            self.enter(phase)
            try:
                return whole(*arguments, **named)
            finally:
                if phase not in STAYS and self.phase not in STAYS:
                    self._memory[0] = before

        setattr(owner, name, followed)


def found(place: str) -> tuple[Any, str]:
    """Return the module or class in which a dotted name lies, and the last part of the name."""
    path, name = place.rsplit(".", 1)
    try:
        owner: Any = importlib.import_module(path)
    except ModuleNotFoundError:
        module, cls = path.rsplit(".", 1)
        owner = getattr(importlib.import_module(module), cls)
    assert hasattr(owner, name), f"{place} is no more; say in PHASES or STAGES what took its place"
    return owner, name


Files = Callable[[tuple[Any, ...]], list[str]]
"""From the arguments of a call to the files that it is about."""


def _of_handle(arguments: tuple[Any, ...]) -> list[str]:
    return [os.readlink(f"/proc/self/fd/{arguments[0]}")]


def _of_paths(arguments: tuple[Any, ...]) -> list[str]:
    return [os.path.abspath(path) for path in arguments if isinstance(path, str | Path)]


def _of_logs(arguments: tuple[Any, ...]) -> list[str]:
    return [os.path.abspath(path) for path in (RUN / "metrics.jsonl", *sorted(RUN.glob("events.*")))]


CALLS: dict[str, tuple[Any, str, Files]] = {
    "sync": (os, "fsync", _of_handle),
    "rename": (os, "replace", _of_paths),
    "unlink": (os, "unlink", _of_paths),
    "log": (Desk, "log", _of_logs),
    "lengths": (Desk, "lengths", _of_logs),
}
"""What a stage waits for: the function through which every such call goes, and the files it is about."""

Cut = Callable[[Path], int]
"""From a file to the length at which the kill leaves it."""


def half(path: Path) -> int:
    """Return half a file's length."""
    return path.stat().st_size // 2


def half_line(path: Path) -> int:
    """Return a text's length up to the middle of its last line."""
    content = path.read_bytes()
    start = content.rstrip(b"\n").rfind(b"\n") + 1
    return (start + len(content)) // 2


def few_bytes_less(path: Path) -> int:
    """Return a length that ends within the last record of TensorBoard, none of which is as short."""
    return path.stat().st_size - 9


@dataclass(frozen=True)
class Stage:
    """A moment: before or after a call about a file whose path matches, of which `cut` then leaves a part."""

    call: str
    file: str
    after: bool = False
    cut: Cut | None = None
    leaves: str | None = None
    """A file in the run's folder that this moment leaves behind, where no call of Python tells of it."""
    save: int = 3
    """It comes once so many saves of the process have begun."""
    once: str | None = None
    """The stage at which an earlier process of the same run was killed."""


SAVES = 5
"""How often a run of `test_kill_in_save.py` saves."""

TEMPORARY = r"/checkpoints/\.step-.*\.tmp/"
LEFT = "checkpoints/.step-00000009.safetensors.ganctl-0123456789abcdef.tmp/.tmpAb12Cd"
CHECKPOINT = r"/checkpoints/step-\d+\.safetensors$"
STAGES = {
    "folder locked, nothing in it": Stage("rename", r"/run\.json$", save=0),
    "half of config.yaml": Stage("sync", r"/\.config\.yaml.*\.tmp$", cut=half, save=0),
    "config.yaml synced, not renamed": Stage("rename", r"/config\.yaml$", save=0),
    "latest written, not renamed": Stage("rename", r"/outputs/\.latest$", save=0),
    "half of the first line of metrics": Stage("log", r"/metrics\.jsonl$", after=True, cut=half_line, save=0),
    "half of a line of metrics": Stage("log", r"/metrics\.jsonl$", after=True, cut=half_line),
    "half of a record of TensorBoard": Stage("log", r"/events\.", after=True, cut=few_bytes_less),
    "half of a picture": Stage("sync", r"/samples/\..*\.tmp$", cut=half, save=1),
    "picture whole, not renamed": Stage("rename", r"/samples/.*\.png$", save=1),
    "picture renamed": Stage("rename", r"/samples/.*\.png$", after=True, save=1),
    "save begun": Stage("lengths", r"/metrics\.jsonl$"),
    "lengths of logs recorded": Stage("lengths", r"/metrics\.jsonl$", after=True),
    "half of the file that safetensors renames": Stage(
        "lengths",
        r"/metrics\.jsonl$",
        after=True,
        leaves=LEFT,
    ),
    "half of the first checkpoint": Stage("sync", TEMPORARY, cut=half, save=1),
    "half of a checkpoint": Stage("sync", TEMPORARY, cut=half),
    "a checkpoint without its last byte": Stage("sync", TEMPORARY, cut=lambda path: path.stat().st_size - 1),
    "checkpoint whole, not synced": Stage("sync", TEMPORARY),
    "checkpoint synced": Stage("sync", TEMPORARY, after=True),
    "first checkpoint renamed": Stage("rename", CHECKPOINT, after=True, save=1),
    "checkpoint renamed": Stage("rename", CHECKPOINT, after=True),
    "folder of checkpoints synced": Stage("sync", "/checkpoints$", after=True),
    "an old checkpoint to be removed": Stage("unlink", CHECKPOINT),
    "an old checkpoint removed": Stage("unlink", CHECKPOINT, after=True),
    "one of several removed": Stage("unlink", CHECKPOINT, after=True, save=1, once="checkpoint renamed"),
    "half of run.json": Stage("sync", r"/\.run\.json.*\.tmp$", cut=half),
    "run.json synced, not renamed": Stage("rename", r"/run\.json$"),
    "run.json renamed": Stage("rename", r"/run\.json$", after=True),
    "last checkpoint renamed": Stage("rename", CHECKPOINT, after=True, save=SAVES),
    "last run.json renamed": Stage("rename", r"/run\.json$", after=True, save=SAVES),
}
"""Every stage at which a run is killed; a new one is a line here."""


def arm(stage: Stage) -> None:
    """Let this process kill itself at a stage."""
    owner, name, files = CALLS[stage.call]
    whole, flush = getattr(owner, name), Desk.lengths
    begun = 0

    def watched(*arguments: Any, **named: Any) -> Any:
        about = [file for file in files(arguments) if re.search(stage.file, file)]
        if not about or begun < stage.save:
            return whole(*arguments, **named)
        if stage.after:
            whole(*arguments, **named)
        if stage.cut is not None:
            if owner is Desk:
                flush(arguments[0])
            path = Path(about[-1])
            os.truncate(path, stage.cut(path))
        if stage.leaves is not None:
            (RUN / stage.leaves).parent.mkdir()
            (RUN / stage.leaves).write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("killed, and still alive")

    setattr(owner, name, watched)
    lengths = Desk.lengths

    def counted(desk: Desk) -> dict[str, int]:
        nonlocal begun
        begun += 1
        return lengths(desk)

    setattr(Desk, "lengths", counted)  # noqa: B010  # as a plain assignment, mypy takes it for a mistake
