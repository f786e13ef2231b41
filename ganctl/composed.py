"""What the command line composes to: a config with the text typed for its keys, and which job of a sweep it is."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class Typed(dict[str, Any]):
    """Values by key; `typed` is the text of each dotted key of the command line.

    A schema that wants text takes it from there: `name=1_1_1` is read as the number 111, but was typed as a name.
    """

    def __init__(self, values: Mapping[str, Any], typed: Mapping[str, str]) -> None:
        super().__init__(values)
        self.typed = dict(typed)

    @classmethod
    def of(cls, values: Mapping[str, Any], words: Iterable[str]) -> "Typed":
        """Return values with the text of `key=value` words."""
        pairs = (word.lstrip("+").partition("=") for word in words)
        return cls(values, {key: text for key, _, text in pairs})


def typed_in(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the text that was typed for keys, where it is known."""
    return values.typed if isinstance(values, Typed) else {}


IN_NAMES = ("data", "model", "loss")
"""Groups whose choices every run's name has anyway."""

LONGEST = 60
"""Characters that the words which differ take in a run's name."""


@dataclass(frozen=True)
class Job:
    """One combination of a sweep: its number from 1, of how many, the words that differ, the sweep's folder."""

    number: int
    total: int
    words: tuple[str, ...]
    folder: Path

    def title(self) -> str:
        """Return the words that tell it from the others."""
        return " ".join(self.words) or "the only job"

    def in_name(self) -> str:
        """Return the words that differ as they stand in the name of the job's run, such as "lr=0.1-seed=2"."""
        told = []
        for word in self.words:
            key, _, value = word.lstrip("+").partition("=")
            if key not in IN_NAMES:
                told.append(f"{re.split('[./]', key)[-1]}={value}")
        return re.sub(r"[^\w.+=-]", "", "-".join(told).replace(",", "+"))[:LONGEST].strip("-.")
