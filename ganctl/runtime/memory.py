"""The C library's allocator, told how a training loop uses memory."""

import ctypes
import platform

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
ONE_GIB = 1 << 30
LIMIT_OF_OLDER_GLIBC = 32 << 20


def keep_freed_memory() -> bool:
    """Stop glibc from giving memory back to the system after each step, only to ask for it again.

    Every step allocates and frees the same large activations; by default glibc maps and unmaps them each
    time. Returns whether anything was changed: other C libraries are left alone.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL("libc.so.6")
    high = libc.mallopt(MMAP_THRESHOLD, ONE_GIB) or libc.mallopt(MMAP_THRESHOLD, LIMIT_OF_OLDER_GLIBC)
    return bool(libc.mallopt(TRIM_THRESHOLD, -1)) and bool(high)
