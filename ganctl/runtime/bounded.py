"""The one opener for files that ganctl did not make: regular, and small enough to be read."""

import errno
import gzip
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from ganctl.runtime.memory import memory_limit

CHUNK = 1 << 20
"""Bytes that are decompressed at once."""


class UntrustedFileError(OSError):
    """A file that must not be read: a folder, pipe, socket or device, or one of more bytes than allowed."""

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        super().__init__(errno.EINVAL, reason, os.fspath(path))

    def __str__(self) -> str:
        return str(self.strerror)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[io.BufferedReader]:
    """Open a regular file for reading, in binary; anything else could block for ever or never end.

    Raises `OSError` if there is no such file, `UntrustedFileError` if it is not a regular one.
    """
    _require_regular(path, os.stat(path).st_mode)
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        _require_regular(path, os.fstat(handle).st_mode)
        yield file


def regular_size(path: str | os.PathLike[str]) -> int:
    """Return the size of a regular file in bytes, without opening it; raises as `opened` does."""
    found = os.stat(path)
    _require_regular(path, found.st_mode)
    return found.st_size


def read_bytes(path: str | os.PathLike[str], most: int | None = None) -> bytes:
    """Return the content of a regular file of at most `most` bytes; by default a quarter of the memory there is.

    Raises as `opened` does, and `UntrustedFileError` for a file that is larger, of which nothing is read, or
    that grows meanwhile.
    """
    with opened(path) as file:
        limit = _limit(most)
        size = os.fstat(file.fileno()).st_size
        if size > limit:
            raise UntrustedFileError(path, f"{size:,} bytes, more than the {limit:,} that are read of such a file")
        content = file.read(size + 1)
    if len(content) > size:
        raise UntrustedFileError(path, "it grew while it was read")
    return content


def read_text(path: str | os.PathLike[str], most: int) -> str:
    """Return the UTF-8 text of a file; raises as `read_bytes` does, and `UnicodeDecodeError`."""
    return read_bytes(path, most).decode("utf-8")


def read_gzip(path: str | os.PathLike[str], most: int | None = None) -> bytes:
    """Return the decompressed content of a gzip file; at most `most` bytes, by default a quarter of the memory.

    Raises as `opened` does, `UntrustedFileError` for more, and `EOFError` or `zlib.error` for a damaged file.
    """
    limit = _limit(most)
    content = io.BytesIO()
    with opened(path) as file, gzip.open(file) as stream:
        while block := stream.read(CHUNK):
            content.write(block)
            if content.tell() > limit:
                raise UntrustedFileError(path, f"more than {limit:,} bytes unpacked")
    if not content.tell():
        raise EOFError("an empty file")
    return content.getvalue()


def _limit(most: int | None) -> int:
    return memory_limit() // 4 if most is None else most


def _require_regular(path: str | os.PathLike[str], mode: int) -> None:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    if not stat.S_ISREG(mode):
        raise UntrustedFileError(path, f"{kinds.get(stat.S_IFMT(mode), 'no regular file')}, not a regular file")
