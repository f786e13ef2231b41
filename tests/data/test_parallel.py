"""Decoding in processes of their own: the same pixels, no process left behind, no death unsaid."""

import io
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl.data.decoding import files as image_files
from ganctl.data.decoding import parallel
from ganctl.data.decoding.decode import Decoding
from ganctl.data.decoding.parallel import DecodeTask, decode_all
from ganctl.errors import DataError
from tests.data.cached import load
from tests.data.drawn import encoded, pack, plain, write


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few images be decoded as many are."""
    monkeypatch.setattr(parallel, "PROCESSES_FROM", 1)
    monkeypatch.setattr(parallel, "CHUNK", 3)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many large images that decoding them takes a while, all of one file."""
    root = tmp_path_factory.mktemp("many")
    pixels = np.random.default_rng(0).integers(0, 256, (800, 800, 3), np.uint8)
    (root / "0.jpg").write_bytes(encoded(Image.fromarray(pixels), "JPEG"))
    for number in range(1, parallel.PROCESSES_FROM):
        os.link(root / "0.jpg", root / f"{number}.jpg")
    return root


def has_a_row(path: Path) -> bool:
    try:
        return bool(np.load(path, mmap_mode="r")[0].any())
    except (EOFError, ValueError):  # its header is not written yet
        return False


def start_preparing(root: Path, cache: Path) -> subprocess.Popen[str]:
    """Start `ganctl data prepare` in a process group of its own, and wait until its workers have begun."""
    words = [sys.executable, "-m", "ganctl", "data", "prepare", f"path={root}", f"cache={cache}", "workers=2"]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 60
    while not any(map(has_a_row, cache.glob("pictures/.*.tmp/samples.npy"))):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def assert_group_is_gone(process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    raise AssertionError("a process outlived the one that started it")


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("packed", [False, True])
def test_processes_decode_as_threads_do(packed, tmp_path, monkeypatch):
    files = {f"{number % 3}/{number:02}.png": plain((number, 5 * number, 9)) for number in range(40)}
    files |= {"1/05.png": b"", "2/00.png": b"text"}
    root = pack(tmp_path / "set.zip", files) if packed else write(tmp_path / "set", files)
    expected = load(root, None)
    store = load(root, tmp_path / "cache")
    assert multiprocessing.active_children() == []
    assert (store.fingerprint, store.classes, store.skipped) == (expected.fingerprint, expected.classes, 2)


def test_a_process_that_decodes_imports_no_torch():
    code = "import sys, ganctl.data.decoding.parallel; print(*{'torch', 'pydantic', 'hydra'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


@pytest.mark.usefixtures("apart")
def test_surveying_in_processes_tells_the_same_as_in_threads(tmp_path, monkeypatch):
    found = {f"{number}.png": plain((number, 0, 0), (9, 5)) for number in range(12)} | {"x.png": b""}
    files = image_files.search(str(write(tmp_path / "set", found)), None).files
    task = DecodeTask(8, Decoding(8, 1, "crop"), hashed=True, surveyed=True)
    apart = decode_all(files, task, None, 2, "")
    monkeypatch.setattr(parallel, "PROCESSES_FROM", 10**9)
    assert decode_all(files, task, None, 2, "") == apart
    assert {(outcome.mode, outcome.size) for outcome in apart[:-1]} == {("RGB", (9, 5))}
    assert apart[-1].reason == "zero bytes"


@pytest.mark.usefixtures("apart")
def test_a_process_that_dies_is_one_line_and_takes_the_others_along(tmp_path, monkeypatch):
    root = write(tmp_path / "set", {f"{number:03}.png": plain() for number in range(300)})

    def kill(results: Iterator[object], total: int, what: str) -> Iterator[object]:
        yield next(iter(results))
        for process in multiprocessing.active_children():
            process.kill()
        yield from results

    monkeypatch.setattr(parallel, "track", kill)
    with pytest.raises(DataError, match=r"^data\.workers: a process .* was killed by SIGKILL, as"):
        load(root, tmp_path / "cache")
    assert multiprocessing.active_children() == []
    assert list((tmp_path / "cache/pictures").glob(".*.tmp")) == []


@pytest.mark.usefixtures("apart")
def test_an_interruption_ends_the_processes(tmp_path, monkeypatch):
    root = write(tmp_path / "set", {f"{number:03}.png": plain() for number in range(300)})

    def interrupt(results: Iterator[object], total: int, what: str) -> Iterator[object]:
        yield next(iter(results))
        assert len(multiprocessing.active_children()) == 2
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "track", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load(root, tmp_path / "cache")
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(("number", "group"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_a_signal_ends_a_preparation_at_once_without_a_trace(number, group, many, tmp_path):
    process = start_preparing(many, tmp_path / "cache")
    started = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=20)
    assert time.monotonic() - started < 5
    assert (process.returncode, err) == (128 + number, f"ganctl: stopped by {number.name}\n")
    assert_group_is_gone(process)
    assert list((tmp_path / "cache/pictures").glob(".*.tmp")) == []


def test_the_workers_of_a_killed_process_end_and_its_half_entry_goes_with_the_next_preparation(many, tmp_path):
    process = start_preparing(many, tmp_path / "cache")
    process.kill()
    process.communicate()
    assert_group_is_gone(process)
    (half,) = (tmp_path / "cache/pictures").glob(".*.tmp")
    load(write(tmp_path / "set", {"a.png": plain()}), tmp_path / "cache")
    assert not half.exists()


def test_bytes_of_a_zip_are_read_without_its_table_of_contents(tmp_path):
    path = pack(tmp_path / "a.zip", {"a.png": plain(), "b.png": b"xyz"})
    files = image_files.search(str(path), None).files
    assert [image_files.read(file).getvalue() for file in files] == [plain(), b"xyz"]
    assert isinstance(image_files.read(files[0]), io.BytesIO)
