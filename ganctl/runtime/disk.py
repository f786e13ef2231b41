"""What is written must outlive a power cut, and is never seen half written."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Make a file or a folder's list of names durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def temporary(path: Path) -> Path:
    """Return the name under which a file is written before it is renamed to `path`."""
    return path.with_name(f".{path.name}.tmp")


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, make it durable, and rename it; on any error `path` is as before.

    Raises `OSError`, after which nothing of the attempt is left.
    """
    unfinished = temporary(path)
    try:
        unfinished.unlink(missing_ok=True)  # it may be a link that leads elsewhere
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync(path.parent)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
