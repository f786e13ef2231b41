"""What the command line composes, without running it."""

from collections.abc import Callable
from typing import Any

from ganctl import compose


def composed(*words: str, command: str = "train") -> dict[str, Any]:
    """Return the config that the command's arguments compose to, as plain data."""
    found: list[dict[str, Any]] = []

    def job(resolve: Callable[[], dict[str, Any]], sweep: bool) -> int:
        found.append(resolve())
        return 0

    assert compose.run(command, words, job) == 0
    return found[0]
