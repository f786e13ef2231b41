"""Whole runs in processes of their own, and waiting for what they do."""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from scripts.soaks.traces import last_step, start
from scripts.soaks.warm import Started

Process = subprocess.Popen[str] | Started

TINY = [
    "model.generator.width=4",
    "model.discriminator.width=4",
    "model.latent=8",
    "data.resolution=8",
    "train.batch_size=4",
    "sample.num=4",
    "device=cpu",
    "device.threads=1",
    "name=run",
]


def finish(folder: Path, *words: str) -> tuple[int, str, str]:
    """Run ganctl in a folder; return exit code, standard output and standard error."""
    process = start(folder, *words)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def wait_for(process: Process, condition: Callable[[], bool], what: str) -> None:
    """Wait until a process has brought something about."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        if condition():
            return
        time.sleep(0.002)
    raise AssertionError(f"{what} never came: {process.communicate()}")


def wait_for_step(process: Process, run: Path, step: int) -> None:
    """Wait until the run has logged a step."""
    wait_for(process, lambda: last_step(run) >= step, f"step {step}")


def kill(process: Process) -> None:
    """Kill a process, which must still be alive."""
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
