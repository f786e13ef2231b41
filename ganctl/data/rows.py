"""Rows of pictures in a .npy file that is being written. Needs no torch."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np


def reserve(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Make a .npy file of uint8 that has its room on the disk: a map is killed where the disk turns out full."""
    rows: np.ndarray = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    size = path.stat().st_size
    if shutil.disk_usage(path.parent).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    return rows


def compact(path: Path, rows: np.ndarray, bad: list[int]) -> None:
    """Close the gaps that bad pictures left between the rows of a .npy file, and shorten it."""
    if not bad:
        return
    end = bad[0]
    for gap, following in zip(bad, [*bad[1:], len(rows)], strict=True):
        for start in range(gap + 1, following, 4096):
            block = rows[start : min(start + 4096, following)].copy()
            rows[end : end + len(block)] = block
            end += len(block)
    length = path.stat().st_size - (len(rows) - end) * rows[0].nbytes
    header = {"descr": "|u1", "fortran_order": False, "shape": (end, *rows.shape[1:])}
    with path.open("r+b") as file:
        np.lib.format.write_array_header_1_0(file, header)  # as long as before: NumPy leaves room for the count
        file.truncate(length)
