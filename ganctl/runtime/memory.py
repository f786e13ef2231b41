"""The C library's allocator, set for how a training loop uses memory, and how much memory there is."""

import ctypes
import os
import platform
from contextlib import suppress
from pathlib import Path

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
ONE_GIB = 1 << 30
LIMIT_OF_OLDER_GLIBC = 32 << 20


def keep_freed_memory() -> None:
    """Stop glibc from giving memory back to the system after each step, only to ask for it again.

    Every step allocates and frees the same large activations; by default glibc maps and unmaps them each
    time. Other C libraries are left alone.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL("libc.so.6")
        if not libc.mallopt(MMAP_THRESHOLD, ONE_GIB):
            libc.mallopt(MMAP_THRESHOLD, LIMIT_OF_OLDER_GLIBC)
        libc.mallopt(TRIM_THRESHOLD, -1)


def memory_limit() -> int:
    """Return the bytes of memory that this process can have: the machine's, or what its control groups allow."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":  # version 2
            root, file = Path("/sys/fs/cgroup"), "memory.max"
        elif "memory" in controllers.split(","):
            root, file = Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"
        else:
            continue
        own = root / group.lstrip("/")
        for folder in (own, *own.parents):
            with suppress(OSError, ValueError):  # no such group seen from inside a container, or "max"
                limits.append(int((folder / file).read_text()))
    return min(limits)
