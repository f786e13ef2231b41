"""Whatever is in a name, a user reads one line of sane length that a terminal only shows."""

import pytest

from ganctl.errors import LONGEST_LINE, one_line
from ganctl.runtime.console import say


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("data: José's pictures, 32×32 → 28…", "data: José's pictures, 32×32 → 28…"),
        ("a\nb\r\n\tc\n", "a b c"),
        ("path    a folder", "path    a folder"),
        ("", ""),
        ("\x1b]0;owned\x07\x1b[2Jx", r"\x1b]0;owned\x07\x1b[2Jx"),
        ("safe\u202egnp.exe", r"safe\u202egnp.exe"),
        ("\x9b31m\x00\x7f", r"\x9b31m\x00\x7f"),
        ("lone \ud800", r"lone \ud800"),
    ],
)
def test_a_text_becomes_one_line_without_commands_to_a_terminal(
    text: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert one_line(text) == line
    say(text)
    assert capsys.readouterr().out == line + "\n"


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    line = one_line("file: " + "x" * 10_000_000 + " is wrong")
    assert line.startswith("file: xxx")
    assert line.endswith("xxx is wrong")
    assert LONGEST_LINE <= len(line) <= LONGEST_LINE + 3
