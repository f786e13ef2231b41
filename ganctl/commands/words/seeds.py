"""How seeds are typed: one number, ranges, or a list of either."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

from ganctl.commands.words.output import digest
from ganctl.errors import ConfigError

MOST = 100_000
"""Seeds in one command."""

FORM = "must be a number, a range such as 0-63, or a list of these such as [0-3,7]"


def parse_seeds(typed: Any) -> list[int]:
    """Return seeds as they were typed, such as 5, "0-3,7" or ["0-3", 7], as integers ≥ 0.

    Raises `ValueError` for anything else, and for none or more than `MOST`.
    """
    parts = typed if isinstance(typed, list) else str(typed).split(",")
    numbers: list[int] = []
    for part in parts:
        found = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", str(part).strip(), re.ASCII)
        if found is None or isinstance(part, bool):
            raise ValueError(FORM)
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise ValueError(f"must rise in a range, such as {last}-{first}")
        if last - first >= MOST - len(numbers):
            raise ValueError(f"must be {MOST:,} numbers at most")
        numbers += range(first, last + 1)
    if not numbers:
        raise ValueError(FORM)
    return numbers


Seeds = Annotated[list[int], BeforeValidator(parse_seeds)]
"""Seeds as integers, however they were typed."""


def words_of_seeds(seeds: list[int]) -> str:
    """Return a part of a file's name that tells seeds from others, such as "seeds-0-3" for a range."""
    if seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds-{seeds[0]}-{seeds[-1]}"
    return f"seeds-{len(seeds)}-{digest(seeds)}"


def refuse_two_counts(num: int | None, seed: int | None, seeds: Sequence[int] | None) -> None:
    """Raise `ConfigError` where `seeds` and the keys in place of it contradict each other."""
    if seeds is None:
        return
    if num is not None and num != len(seeds):
        raise ConfigError(f"num: {num:,} samples, but seeds has {len(seeds):,}, one for each; leave num out")
    if seed is not None:
        raise ConfigError("seed: says nothing where seeds has one for each sample; leave seed or seeds out")
