"""Configs of which one key is changed."""

import copy
from collections.abc import Callable
from typing import Any


def changed(values: dict[str, Any], key: str, change: Callable[[dict[str, Any], str], object]) -> dict[str, Any]:
    """Return a copy in which the innermost mapping of a dotted key has been changed."""
    values = copy.deepcopy(values)
    inner = values
    *groups, last = key.split(".")
    for group in groups:
        inner = inner[group]
    change(inner, last)
    return values


def setting(value: Any) -> Callable[[dict[str, Any], str], object]:
    """Return a change that sets the key."""
    return lambda inner, last: inner.update({last: value})
