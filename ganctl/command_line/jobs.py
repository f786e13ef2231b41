"""What a command line asks for: jobs, each of which composes to values with the text typed for their keys."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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


IN_NAMES = ("data", "model", "loss")
"""Groups whose choices every run's name has anyway."""

LONGEST = 60
"""Characters that the words which differ take in a run's name."""


@dataclass(frozen=True)
class Job:
    """One thing to do: all that a command line asks for, or one combination of a sweep.

    `values` composes its config from its `words`, and raises `ConfigError` if it cannot; `compose`, where given,
    does so from others. `subject` is the word that is no key: a run to resume, what to do with data. In a sweep,
    `differing` are the words that tell it from the other jobs, `number` counts from 1 to `total`, and `folder` is
    the sweep's. What a command finds out of its run, it adds to `found`: folder, status, step, score.
    """

    values: Callable[[], Typed]
    words: Sequence[str] = ()
    differing: tuple[str, ...] = ()
    number: int = 1
    total: int = 1
    folder: Path | None = None
    subject: str = ""
    found: dict[str, Any] = field(default_factory=dict)
    compose: Callable[[Sequence[str]], Typed] | None = None

    def title(self) -> str:
        """Return the words that tell it from the others."""
        return " ".join(self.differing) or "the only job"

    def in_name(self) -> str:
        """Return the words that differ as they appear in the name of the job's run, such as "lr=0.1-seed=2"."""
        told = []
        for word in self.differing:
            key, _, value = word.lstrip("+").partition("=")
            if key not in IN_NAMES:
                told.append(f"{re.split('[./]', key)[-1]}={value}")
        return re.sub(r"[^\w.+=-]", "", "-".join(told).replace(",", "+"))[:LONGEST].strip("-.")
