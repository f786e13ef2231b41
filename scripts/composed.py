"""What the command line composes, without running it."""

from collections.abc import Callable
from typing import Any

from ganctl import compose


def composed(*words: str, command: str = "train") -> dict[str, Any]:
    """Return the config that a command's words compose to, as plain data.

    Raises `ConfigError` as the command would.
    """
    found: list[dict[str, Any]] = []

    def take(resolve: Callable[[], dict[str, Any]], job: Any) -> int:
        found.append(resolve())
        return 0

    compose.run(command, words, take)
    return found[0]
