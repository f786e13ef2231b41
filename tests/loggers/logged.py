"""Logs opened by hand, and what is in them."""

from collections.abc import Mapping
from pathlib import Path

from ganctl.loggers import LOGGERS, Log, LoggedRun
from scripts.soaks.traces import last_step
from scripts.soaks.warm import Warm
from tests.behaviours.runs import wait_for

RUN = Path("outputs/run")


def logged_run(folder: Path, marks: Mapping[str, int] | None = None, step: int = 0) -> LoggedRun:
    folder.mkdir(parents=True, exist_ok=True)
    return LoggedRun(folder, marks or {}, step, {"seed": 0}, {"seed": 0}, ["loss/generator"])


def log_of(name: str, **options: object) -> Log:
    return LOGGERS[name].model_validate({"name": name, **options})


def killed_after(warm: Warm, folder: Path, step: int, *words: str) -> None:
    """Start a run in a folder and kill it once it has logged a step."""
    process = warm.start(folder, *words)
    wait_for(process, lambda: last_step(folder / RUN) >= step, f"step {step}")
    process.send_signal(9)  # type: ignore[arg-type]
    assert process.communicate()[0].count("done:") == 0
