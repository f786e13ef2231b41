"""A disk that is full, read-only or failing: the run stops with one line, keeps what was good, and can go on."""

import errno
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from scripts.soaks.traces import numbers, traces
from scripts.soaks.warm import Warm
from tests.behaviours.runs import TINY
from tests.conftest import contents

TWENTY = ["train", *TINY, "train.steps=20", "logging.every=1", "sample.every=10", "checkpoint.every=5"]
RUN = Path("outputs/run")

FAULT = """\
import os
from ganctl.checkpoints import file as checkpoint

left = 2
write = checkpoint.save_file

def fail(tensors, path, metadata):
    global left
    left -= 1
    write(tensors, path, metadata)
    if left < 0:
        os.truncate(path, 1000)
        raise OSError(NUMBER, "")

checkpoint.save_file = fail
"""
"""A plugin that lets saves fail after two good ones, with a part of the file written."""


@pytest.fixture(scope="module")
def uninterrupted(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    assert warm.finish(folder, *TWENTY)[0] == 0
    return folder / RUN


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB of its own."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root; the failing saves below need nothing")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def checkpoints(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / RUN / "checkpoints").iterdir()}


@pytest.mark.parametrize(("fault", "told"), [("ENOSPC", "room"), ("EIO", "disk fails"), ("EROFS", "mount")])
def test_a_save_that_fails_stops_the_run_and_keeps_the_last_checkpoint(
    warm: Warm, fault: str, told: str, uninterrupted: Path, tmp_path: Path
) -> None:
    (tmp_path / "fault.py").write_text(FAULT.replace("NUMBER", str(getattr(errno, fault))))
    code, _, err = warm.finish(tmp_path, *TWENTY, "plugins=[fault]")
    assert code == 2
    assert err.count("\n") == 1
    assert "checkpoints/step-00000015.safetensors: cannot be written" in err
    assert told in err
    assert "last good checkpoint: outputs/run/checkpoints/step-00000010.safetensors" in err
    assert checkpoints(tmp_path).keys() == {"step-00000005.safetensors", "step-00000010.safetensors"}
    assert json.loads((tmp_path / RUN / "run.json").read_text())["status"] == "failed"
    code, out, err = warm.finish(tmp_path, *TWENTY)
    assert (code, err) == (0, "")
    assert "resumed at step 10" in out
    assert traces(tmp_path / RUN) == traces(uninterrupted)


def fill(disk: Path) -> Path:
    """Fill a file system up to the last byte."""
    ballast = disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return ballast


@pytest.mark.parametrize("logging", ["logging.every=1", "logging.every=100000"])
def test_a_full_disk_stops_the_run_and_room_lets_it_go_on(warm: Warm, logging: str, small_disk: Path) -> None:
    words = [*TWENTY, logging, "train.steps=100000", "sample.every=0"]
    process = warm.start(small_disk, *words)
    wait_for_checkpoint(small_disk)
    ballast = fill(small_disk)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert err.count("\n") == 1
    assert "No space left on device); make room on the disk" in err
    assert "last good checkpoint: outputs/run/checkpoints/step-" in err
    kept = checkpoints(small_disk)
    assert kept
    code, _, err = warm.finish(small_disk, *words)
    assert (code, err.count("\n")) == (2, 1)
    assert "make room" in err
    assert checkpoints(small_disk) == kept
    ballast.unlink()
    steps = int(max(kept).removeprefix("step-").partition(".")[0]) + 7
    code, out, err = warm.finish(small_disk, *words, f"train.steps={steps}")
    assert (code, err) == (0, "")
    assert f"resumed at step {steps - 7}" in out
    assert [row["step"] for row in numbers(small_disk / RUN)][-1] == steps


def wait_for_checkpoint(folder: Path) -> None:
    """Wait until the first checkpoint of a run is there."""
    while not list(folder.glob("outputs/run/checkpoints/step-*")):
        os.sched_yield()


def test_a_read_only_folder_is_named_and_left_as_it_is(warm: Warm, small_disk: Path) -> None:
    assert warm.finish(small_disk, *TWENTY)[0] == 0
    before = contents(small_disk)
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    code, _, err = warm.finish(small_disk, *TWENTY, "train.steps=30")
    assert (code, err.count("\n")) == (2, 1)
    assert "outputs/run: cannot be written (Read-only file system); mount it so that it can be written" in err
    code, out, _ = warm.finish(small_disk, *TWENTY)
    assert (code, out) == (0, f"{RUN} is complete: 20 steps are done; raise train.steps above 20 to go on\n")
    assert contents(small_disk) == before
