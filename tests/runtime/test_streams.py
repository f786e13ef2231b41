"""Streams that are lost, full, closed or cannot show a letter end nothing, and no result is lost with them."""

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from ganctl.cli import main
from ganctl.runtime.streams import Sink
from tests.conftest import TINY

ROOT = Path(__file__).parents[2]
MODES = ["evaluate", "run", "metric=[mixture_modes]", "num=40", "metric/features=raw", "device=cpu"]


def text(handle: int, encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(Sink(handle)), encoding, "backslashreplace", line_buffering=True)


def test_what_is_written_arrives() -> None:
    reader, writer = os.pipe()
    with text(writer) as stream:
        stream.write("± 95 %\n" * 1000)
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        assert file.read() == "± 95 %\n" * 1000


def test_letters_that_a_stream_cannot_show_are_escaped() -> None:
    reader, writer = os.pipe()
    with text(writer, "ascii") as stream:
        print("± 95 %", file=stream)
    os.close(writer)
    with open(reader, "rb") as file:
        assert file.read() == b"\\xb1 95 %\n"


def test_a_reader_that_is_gone_a_full_disk_and_a_vanished_terminal_are_nothing() -> None:
    reader, gone = os.pipe()
    os.close(reader)
    main, vanished = pty.openpty()
    os.close(main)
    full = os.open("/dev/full", os.O_WRONLY)
    for handle in (gone, vanished, full):
        stream = text(handle)
        print("a line", file=stream, flush=True)
        print("another", file=stream, flush=True)
        assert not stream.isatty()
        stream.close()
        os.close(handle)


def test_a_slow_reader_gets_everything() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    child = os.fork()
    if child == 0:
        os.close(reader)
        stream = text(writer)
        stream.write("x" * 1_000_000)
        stream.close()
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        assert len(file.read()) == 1_000_000
    os.waitpid(child, 0)


def ganctl(folder: Path, words: list[str], redirection: str, **more: str) -> tuple[int, str]:
    """Run ganctl under a shell that redirects its streams; return its exit code and its standard error."""
    command = f'"{sys.executable}" -m ganctl "$@" {redirection}'
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | more
    done = subprocess.run(
        ["bash", "-c", command, "bash", *words], cwd=folder, env=environment, capture_output=True, timeout=120
    )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["train", "--cfg", "job"], ["trian"]], ids=" ".join)
@pytest.mark.parametrize(
    "redirection", [">/dev/full", ">&-", "| head -0; exit ${PIPESTATUS[0]}", "2>/dev/full", "2>&-"]
)
def test_a_broken_stream_changes_no_exit_code_and_prints_no_traceback(
    words: list[str], redirection: str, tmp_path: Path
) -> None:
    code, told = ganctl(tmp_path, words, redirection)
    assert code == (2 if words == ["trian"] else 0)
    assert "Traceback" not in told
    assert told.count("\n") == (words == ["trian"] and "2>" not in redirection)


@pytest.mark.parametrize(
    "redirection",
    [">/dev/full 2>/dev/full", ">&-", "| head -1 >&2; exit ${PIPESTATUS[0]}"],
    ids=["full", "closed", "head"],
)
def test_results_are_written_whoever_reads_them(redirection: str, trained: Path) -> None:
    code, told = ganctl(trained, MODES, redirection)
    assert (code, "Traceback" in told) == (0, False)
    (result,) = json.loads((trained / "outputs/run/evaluation.json").read_text())["evaluations"]
    assert result["numbers"]["mixture_modes"]


def test_a_terminal_of_few_letters_is_told_all_the_same(trained: Path) -> None:
    code, told = ganctl(trained, MODES, ">&2", PYTHONIOENCODING="ascii")
    assert (code, "Traceback" in told) == (0, False)
    assert "written to outputs/run/evaluation.json" in told


@pytest.mark.parametrize("encoding", ["koi8-r", "cp866"])
def test_a_terminal_of_other_letters_is_told_all_the_same(
    encoding: str, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("told").open("wb") as file, text(file.fileno(), encoding) as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(MODES) == 0
    assert "written to outputs/run/evaluation.json" in Path("told").read_text(encoding)


def test_a_run_goes_on_though_the_disk_of_its_terminal_is_full(tmp_path: Path) -> None:
    code, told = ganctl(tmp_path, ["train", *TINY, "name=run", "logging.every=1"], ">/dev/full")
    assert (code, told) == (0, "")
    assert (tmp_path / "outputs/run/checkpoints/step-00000001.safetensors").exists()
