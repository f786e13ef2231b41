"""What the command line composes, without running it."""

from typing import Any

from ganctl.command_line import compose


def composed(*words: str, command: str = "train") -> dict[str, Any]:
    """Return the config that the command's arguments compose to, as plain data."""
    (job,) = compose.jobs(command, words)
    return job.values()
