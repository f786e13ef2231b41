"""What libraries complain of while images decode: off the terminal, and counted by `ganctl data check`."""

import io
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl.data.decoding import decode, parallel
from ganctl.data.decoding.files import ImageFile
from ganctl.data.decoding.library_warnings import complaint, quiet
from tests.conftest import Cli
from tests.data.cached import load
from tests.data.drawn import RED, encoded, plain, write


def loud_tiff() -> bytes:
    """A damaged TIFF file, of which libtiff complains to C's standard error."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = bytearray(encoded(Image.fromarray(noise), "TIFF", compression="tiff_lzw"))
    content[3000:3200] = b"\xff" * 200
    return bytes(content)


def test_libtiff_is_loud_where_nobody_silences_it() -> None:
    code = "import io, sys; from PIL import Image; Image.open(io.BytesIO(sys.stdin.buffer.read())).load()"
    loud = subprocess.run([sys.executable, "-c", code], input=loud_tiff(), capture_output=True, check=False)
    assert b"not yet in table" in loud.stderr


@pytest.mark.parametrize("processes", [False, True])
def test_libtiff_writes_nothing_to_the_terminal(
    processes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    root = write(
        tmp_path / "set", {"1.tif": loud_tiff(), "2.tif": loud_tiff(), "3.png": plain(RED), "4.png": plain(RED)}
    )
    if processes:
        monkeypatch.setattr(parallel, "PROCESSES_FROM", 2)
    assert load(root, None).skipped == 2
    assert capfd.readouterr().err == ""


def test_images_that_libraries_warn_of_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "set", {"1.png": plain(RED), "2.png": plain(RED)})
    read = parallel.read

    def warning(file: ImageFile) -> io.BytesIO:
        warnings.warn(f"{file.relative} is odd", UserWarning, stacklevel=1)
        return read(file)

    monkeypatch.setattr(parallel, "read", warning)
    told = cli("data", "check", "path=set", "workers=2")
    assert "odd           2 that Pillow or libtiff warn of, the first 1.png: 1.png is odd\n" in told.out
    assert (told.code, told.err) == (0, "")


def test_a_warning_belongs_to_the_thread_in_which_it_came() -> None:
    with quiet():
        thread = threading.Thread(target=lambda: warnings.warn("theirs", UserWarning, stacklevel=1))
        thread.start()
        thread.join()
        assert complaint() == ""
        warnings.warn("ours", UserWarning, stacklevel=1)
        warnings.warn("later", UserWarning, stacklevel=1)
    assert complaint() == "ours"
    assert complaint() == ""


def test_what_was_complained_of_before_is_not_said_of_the_next_images() -> None:
    with quiet():
        warnings.warn("earlier", UserWarning, stacklevel=1)
    with quiet():
        assert complaint() == ""


def test_images_of_many_pixels_are_decoded_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "set", {f"{number}.png": plain(RED, (40, 40)) for number in range(8)})
    inside: list[int] = []
    most: list[int] = []
    change = decode._to_mode

    def noted(image: Image.Image, mode: str) -> Image.Image:
        inside.append(1)
        most.append(len(inside))
        threading.Event().wait(0.005)
        inside.pop()
        return change(image, mode)

    monkeypatch.setattr(decode, "_to_mode", noted)
    monkeypatch.setattr(decode, "MANY_PIXELS", 1599)
    assert len(load(root, None)) == 8
    assert max(most) == 1
