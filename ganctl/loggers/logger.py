"""What every logger can do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol


class Logger(Protocol):
    """Logs the numbers and images of one run, whose files in the run's folder a resumed run continues.

    `lengths` are the byte lengths that a checkpoint recorded: what was logged after it is cut off, so that no step
    appears twice. An empty mapping starts the logs anew. Writes happen in the caller's thread, so that a full disk
    is noticed there: every method raises `OSError`.
    """

    kept_as: ClassVar[Mapping[str, str]]
    """Its files in the run's folder, each with the name, but for a number, under which a new start keeps it."""

    def __init__(self, folder: Path, lengths: Mapping[str, int]) -> None: ...

    def config(self, config: Mapping[str, Any], identity: Mapping[str, Any], ordering: Sequence[str]) -> None:
        """Log the config; once, at step 0.

        `identity` holds the flattened keys that determine the run's numbers, `ordering` the tags of numbers by
        which runs can be sorted.
        """

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers of a step."""

    def image(self, step: int, png: bytes, size: tuple[int, int]) -> None:
        """Log an image, the bytes of a PNG file of a size (height, width) in pixels."""

    def lengths(self) -> dict[str, int]:
        """Return the byte length of each file by its name, after everything logged so far has reached the disk."""

    def close(self) -> None:
        """Finish the files."""
