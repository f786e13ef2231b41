"""Values in files that anyone may have written: each is what it should be, or left out."""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ganctl.runtime.bounded import opened

TAIL = 256 << 10
"""Bytes at the end of a log that are read; a line of numbers has about 900."""


def whole(value: Any) -> int | None:
    """Return a whole number of at least 0 that 64 bits hold; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value < 1 << 63 else None


def number(value: Any) -> float | None:
    """Return a finite number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    with suppress(OverflowError):
        return float(value) if math.isfinite(value) else None
    return None


def text(value: Any) -> str | None:
    """Return a text that is not empty; None for anything else."""
    return value if isinstance(value, str) and value else None


def numbers_of(values: Any) -> dict[str, float]:
    """Return those of a mapping's values that are finite numbers; none for anything but a mapping."""
    found = {key: number(value) for key, value in values.items()} if isinstance(values, dict) else {}
    return {key: value for key, value in found.items() if value is not None}


def mapping(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a mapping in a mapping; an empty one for anything else."""
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested mappings with their dotted keys; an empty mapping has none."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def tail(path: Path) -> list[bytes]:
    """Return the last whole lines of a file, without what follows the last break; none if it cannot be read."""
    try:
        with opened(path) as file:
            start = max(0, os.fstat(file.fileno()).st_size - TAIL)
            file.seek(start)
            lines = file.read(TAIL).split(b"\n")[:-1]
    except OSError:
        return []
    return lines[1:] if start else lines
