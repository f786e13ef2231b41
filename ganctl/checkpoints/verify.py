"""Checkpoints that anyone may have written, opened to be worked with."""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from ganctl.checkpoints.expected import check_tensors
from ganctl.checkpoints.file import Checkpoint, read_header


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint whose header, config and list of tensors fit together; no tensor is read.

    One that was opened before is opened again only if it has been written since. Raises `CheckpointError` if it
    is missing, damaged, no checkpoint of ganctl, or not what its config makes.
    """
    version: tuple[int, ...] = ()
    with suppress(OSError, ValueError):
        found = path.stat()
        version = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return _open(path, version)


@lru_cache(maxsize=4)
def _open(path: Path, version: tuple[int, ...]) -> Checkpoint:
    opened = read_header(path)
    check_tensors(opened, opened.config)
    return opened
