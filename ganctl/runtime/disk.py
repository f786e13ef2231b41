"""What is written must outlive a power cut, and is never seen half written."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

TEMPORARY = re.compile(r"\.(.+)\.ganctl-[0-9a-f]{16}\.tmp", re.DOTALL)


def sync(path: Path) -> None:
    """Make a file or a folder's list of names durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def temporary(path: Path) -> Path:
    """Return a name under which what will be `path` is written before it is renamed; each call gives another."""
    return path.with_name(f".{path.name}.ganctl-{secrets.token_hex(8)}.tmp")


def intended(path: Path) -> str | None:
    """Return the name that what has one of `temporary`'s names was to get; None for any other name."""
    found = TEMPORARY.fullmatch(path.name)
    return found[1] if found else None


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, all of them durable; raises `OSError`."""
    if not path.parent.exists():
        make_folder(path.parent)
    if not path.is_dir():
        path.mkdir(exist_ok=True)
        sync(path.parent)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let no other process within such a block change a file, where its file system has locks."""
    with ExitStack() as held:
        with suppress(NotImplementedError):
            from filelock import FileLock

            held.enter_context(FileLock(path.with_name(f".{path.name}.lock")))
        yield


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, make it durable, and rename it; on any error `path` is as before.

    Raises `OSError`, after which nothing of the attempt is left.
    """
    unfinished = temporary(path)
    try:
        with unfinished.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        sync(path.parent)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
