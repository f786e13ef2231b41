"""How far samples are moved along a direction: one number, or a range written -3..3."""

import math
import re
from typing import Annotated, Any

from pydantic import BeforeValidator

FORM = "must be a number, or a range such as -3..3"

NUMBER = r"[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?"


def parse_strength(typed: Any) -> tuple[float, ...]:
    """Return a strength as it was typed, such as 3 or "-3..3": one number, or the two ends of a range.

    Raises `ValueError` for anything else, and for a range that does not rise.
    """
    found = re.fullmatch(rf"({NUMBER})(?:\.\.({NUMBER}))?", str(typed).strip(), re.ASCII)
    if found is None or isinstance(typed, bool | list | dict):
        raise ValueError(FORM)
    ends = tuple(float(each) for each in found.groups() if each is not None)
    if not all(map(math.isfinite, ends)):
        raise ValueError("must be finite")
    if len(ends) == 2 and ends[0] >= ends[1]:
        raise ValueError("must rise in a range, such as -3..3")
    return ends


Strength = Annotated[tuple[float, ...], BeforeValidator(parse_strength)]
"""One number, or the two ends of a range."""
