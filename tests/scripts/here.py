"""Commands of ganctl that a table starts, run in this process."""

import io
import os
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from typing import Any

from ganctl import cli
from scripts.tables.launch import Ended
from scripts.tables.runs import composed

BRIEF = ("features.steps=2", "features.width=2", "features.colour=null")
"""Words by which a classifier is taught in no time."""


def briefly(words: Sequence[str]) -> dict[str, Any]:
    """Compose the words of a command; an evaluation's classifier is taught briefly."""
    return composed([*words, *BRIEF] if words[0] == "evaluate" else words)


class Here:
    """Runs commands in this process, and notes them; `further` are words that follow those of each command."""

    def __init__(self, **further: tuple[str, ...]) -> None:
        self.ran: list[str] = []
        self.further = further

    def run(self, words: Sequence[str]) -> Ended:
        self.ran.append(" ".join(words[:2]))
        told = io.StringIO()
        with redirect_stderr(told):
            code = cli.main([*words, *self.further.get(words[0], ())])
        return Ended(code, told.getvalue().strip(), 1.0)

    def watched(self, words: Sequence[str], enough: Callable[[int], bool]) -> Ended:
        ended = self.run(words)
        enough(os.getpid())
        return ended

    def stop(self) -> None:
        raise AssertionError("nothing was to be stopped")
