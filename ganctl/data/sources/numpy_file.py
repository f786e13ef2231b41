"""Arrays of numpy's .npy and .npz files, of which nothing can run code."""

import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from ganctl.data.decoding.files import missing
from ganctl.errors import DataError
from ganctl.runtime.bounded import opened, regular_size
from ganctl.runtime.memory import memory_limit

ZIP_STARTS, NPY_START = (b"PK\x03\x04", b"PK\x05\x06"), b"\x93NUMPY"


@dataclass(frozen=True)
class ArrayHeader:
    """What an array is, without its values."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class NumpyFile:
    """A .npy file, whose one array has no name, or an .npz file, by the first bytes and not by the ending.

    Raises `DataError` that names the `key` for the file if it is missing, damaged or of another kind.
    """

    def __init__(self, path: str, key: str = "data.path") -> None:
        self.path = path
        self._key = key
        self._place = Path(os.path.expanduser(path))
        with self._refusing():
            if self._place.is_dir():
                raise DataError(f"{key}: {path} is a folder; name the .npy or .npz file in it")
            if not self._place.exists():
                raise missing(path, key)
            with opened(self._place) as content:
                start = content.read(len(NPY_START))
        self.is_archive = start[:4] in ZIP_STARTS
        if not self.is_archive and start != NPY_START:
            raise DataError(f"{key}: {path} is neither a .npy nor an .npz file")

    def names(self) -> list[str]:
        """Return the names of the arrays of an .npz file, none of a .npy file."""
        if not self.is_archive:
            return []
        with self._refusing(), zipfile.ZipFile(self._place) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]

    def header(self, name: str | None) -> ArrayHeader:
        """Return an array's shape and type; the file is checked to be long enough for it."""
        with self._refusing(name):
            if name is None:
                with opened(self._place) as content:
                    return _header(content, regular_size(self._place))
            with zipfile.ZipFile(self._place) as archive:
                member = f"{name}.npy"
                with archive.open(member) as content:
                    return _header(content, archive.getinfo(member).file_size)

    def read(self, name: str | None) -> np.ndarray:
        """Return an array: of a .npy file as a read-only memory map, of an .npz file in memory."""
        with self._refusing(name):
            if name is None:
                return np.asarray(np.load(self._place, mmap_mode="r", allow_pickle=False))
            with np.load(self._place, allow_pickle=False) as arrays:
                size, limit = arrays.zip.getinfo(f"{name}.npy").file_size, memory_limit()
                if size > limit // 2:
                    reason = f"{size:,} bytes unpacked, more than half of the {limit:,} of memory"
                    raise ValueError(f"{reason}; save it as a .npy file")
                return np.asarray(arrays[name])

    @contextmanager
    def _refusing(self, name: str | None = None) -> Iterator[None]:
        try:
            yield
        except (DataError, MemoryError):
            raise
        except Exception as error:  # what numpy, zipfile and zlib raise on damaged files has no common class
            reason = " ".join(str(error).split()) or type(error).__name__
            what = f"{self.path}, array {name}," if name else self.path
            raise DataError(f"{self._key}: {what} cannot be read ({reason})") from error


def _header(content: IO[bytes], size: int) -> ArrayHeader:
    version = np.lib.format.read_magic(content)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"version {version[0]}.{version[1]} of the format, which only structured arrays need")
    try:
        shape, _, dtype = readers[version](content)
    except (RecursionError, MemoryError):
        raise ValueError("its header is nested too deep") from None
    if any(not isinstance(length, int) or length < 0 for length in shape):
        raise ValueError("a shape that is not of whole numbers")
    wanted = math.prod(shape) * dtype.itemsize
    if not dtype.hasobject and size - content.tell() < wanted:
        raise ValueError(f"it ends after {size - content.tell():,} of {wanted:,} bytes of values")
    return ArrayHeader(shape, dtype)
