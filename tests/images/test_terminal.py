"""Images in the terminal: half-block characters, or pixels where the terminal says that it shows them."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

import numpy as np
import pytest

from ganctl.images.terminal import show

DEVICE_ATTRIBUTES = b"\x1b[c"
"""What asks a terminal what it is."""

SIXEL, PLAIN = b"\x1b[?62;4;22c", b"\x1b[?62;22c"
"""The answers of a terminal that shows sixels, and of one that does not."""

PROGRAM = """
import numpy as np
from ganctl.images.terminal import show
pixels = np.zeros((12, 16, 3), np.uint8)
pixels[:6] = 255, 0, 0
pixels[6:] = 0, 0, 255
show(pixels)
"""


def controlled() -> None:
    """Make the terminal of standard output that of this new session, as a shell's is."""
    fcntl.ioctl(1, termios.TIOCSCTTY, 0)


def seen(answer: bytes, columns: int = 80, *, keyboard: bool = True) -> str:
    """Return what a terminal of so many columns, each cell of 10×20 pixels, is sent if it answers so.

    Without a keyboard, the program's input is /dev/null.
    """
    terminal, inner = pty.openpty()
    rows = 40 if columns else 0
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 10 * columns, 20 * rows))
    size = {"COLUMNS", "LINES"}  # of the terminal that the tests run in
    environment = {name: value for name, value in os.environ.items() if name not in size}
    environment |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    stdin = inner if keyboard else subprocess.DEVNULL
    program = [sys.executable, "-c", PROGRAM]
    process = subprocess.Popen(
        program, stdin=stdin, stdout=inner, env=environment, start_new_session=True, preexec_fn=controlled
    )
    os.close(inner)
    sent, answered, deadline = b"", 0, time.monotonic() + 60
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 1)
        try:
            part = os.read(terminal, 65536) if ready else b""
        except OSError:  # the program has ended
            break
        sent += part
        if not part and process.poll() is not None:
            break
        for _ in range(sent.count(DEVICE_ATTRIBUTES) - answered):
            os.write(terminal, answer)
            answered += 1
    os.close(terminal)
    assert process.wait() == 0
    return sent.decode(errors="replace")


def test_a_plain_terminal_gets_characters_of_half_a_cell_in_the_images_colours() -> None:
    text = seen(PLAIN)
    lines = [line for line in text.splitlines() if "▀" in line]
    assert [line.count("▀") for line in lines] == [16] * 6
    assert "38;2;255;0;0" in lines[0]
    assert "48;2;0;0;255" in lines[-1]
    assert "\x1bP" not in text


def test_a_terminal_that_knows_sixels_gets_pixels() -> None:
    text = seen(SIXEL)
    picture = re.search(r"\x1bP[0-9;]*q(.*?)\x1b\\", text, re.DOTALL)
    assert picture is not None
    assert "▀" not in text


def test_an_image_is_no_wider_than_the_terminal() -> None:
    lines = [line for line in seen(PLAIN, columns=10).splitlines() if "▀" in line]
    assert {line.count("▀") for line in lines} == {10}


def test_a_terminal_that_tells_no_size_gets_nothing() -> None:
    assert seen(PLAIN, columns=0) == ""


def test_a_program_that_cannot_read_the_answers_draws_nothing_and_goes_on() -> None:
    assert seen(PLAIN, keyboard=False) == ""


def test_nothing_is_shown_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show(np.zeros((8, 8, 1), np.uint8))
    assert capsys.readouterr().out == ""
