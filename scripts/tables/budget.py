"""A training that ends when it has used up its CPU time, and goes on from there if it was interrupted before."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from ganctl.folders.run_folder import RunFolder
from ganctl.runtime.disk import write_whole
from scripts.tables.launch import STOPPED, Ended


class Watching(Protocol):
    """What runs commands of ganctl and looks after them."""

    def run(self, words: Sequence[str]) -> Ended:
        """Run a command to its end."""

    def watched(self, words: Sequence[str], enough: Callable[[int], bool]) -> Ended:
        """Run a command until `enough` of its process is true."""

    def stop(self) -> None:
        """Let the commands that run save and end, and start no other."""


@dataclass
class Spent:
    """CPU time in s that a training has used in all its sittings, and what it had used at each checkpoint."""

    seconds: float = 0.0
    at: dict[str, float] = field(default_factory=dict)
    """By the step's number, as JSON has it."""

    enough: bool = False
    """Whether the training has ended: its time is used up, or its steps are done."""


def account(name: str) -> Path:
    """Return the file that holds a run's CPU time, beside the run's folder."""
    return Path("outputs", f"{name}.cpu.json")


def spent(name: str) -> Spent:
    """Return what a run has used so far."""
    path = account(name)
    return Spent(**json.loads(path.read_text())) if path.exists() else Spent()


def train(name: str, words: Sequence[str], seconds: float, launcher: Watching) -> Ended:
    """Run a training, or go on with it, until it has used so many seconds of CPU time in all, or ends by itself.

    All that the process does counts: its start, data, pictures and checkpoints. A second is the resolution.
    """
    account(name).parent.mkdir(exist_ok=True)
    before, folder = spent(name), RunFolder(Path("outputs", name))
    now = Spent(before.seconds, dict(before.at))

    def enough(process: int) -> bool:
        now.seconds = max(now.seconds, before.seconds + cpu_seconds(process))
        for path in folder.checkpoints.files():
            now.at.setdefault(str(int(path.stem.removeprefix("step-"))), round(now.seconds, 1))
        write_whole(account(name), json.dumps(asdict(now)).encode())
        return now.seconds >= seconds

    ended = launcher.watched(words, enough)
    now.enough = ended.code == 0 or (now.seconds >= seconds and ended.code in STOPPED)
    for path in folder.checkpoints.files():
        now.at.setdefault(str(int(path.stem.removeprefix("step-"))), round(now.seconds, 1))
    write_whole(account(name), json.dumps(asdict(now)).encode())
    return ended


def unfinished(name: str, words: Sequence[str], seconds: float, launcher: Watching) -> str | None:
    """Run a training as `train` does unless it has used its CPU time; return why it has not, None if it has."""
    if spent(name).enough:
        return None
    ended = train(name, words, seconds, launcher)
    now = spent(name)
    if now.enough:
        return None
    if ended.code in STOPPED:
        return f"stopped after {now.seconds / 60:.1f} CPU minutes; it goes on"
    return f"FAILED, exit code {ended.code}: {ended.told}"


def cpu_seconds(process: int) -> float:
    """Return the CPU time in s of a process, its threads and the children that it has waited for; 0 if it is gone.

    Linux alone tells it (proc_pid_stat(5), fields 14 to 17).
    """
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
