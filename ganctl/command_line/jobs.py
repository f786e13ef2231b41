"""What a command line asks for: jobs, each of which composes to values with the text typed for their keys."""

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
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
class Bounds:
    """Values of a key between two bounds, from which a search draws; `log`: evenly over their logarithms."""

    key: str
    low: float
    high: float
    log: bool = False
    whole: bool = False

    def word(self, value: float) -> str:
        """Return the word that gives the key a value, of six digits where it is no whole number."""
        return f"{self.key}={round(value) if self.whole else f'{value:.6g}'}"


Values = list[str] | Bounds
"""The words that one word of a sweep stands for, key=value each, or an interval of them."""


@dataclass(frozen=True)
class Sweep:
    """What a command line asks for under -m.

    `folder` is the sweep's, which follows from the words, `settings` are the composed groups `sweeper` and
    `launcher`, `choices` what each word stands for, in their order. `compose` turns words into a job's values, and
    `launch` calls a function of a number for each of so many jobs, by the launcher that `settings` name.
    """

    folder: Path
    settings: Mapping[str, Any]
    choices: Sequence[Values]
    compose: Callable[[Sequence[str]], Typed]
    launch: Callable[[Callable[[int], Any], int], list[Any]]

    def job(self, words: Sequence[str], number: int, total: int) -> "Job":
        """Return the job of one word for each choice."""
        pairs = zip(words, self.choices, strict=True)
        differing = tuple(word for word, values in pairs if isinstance(values, Bounds) or len(values) > 1)
        values = partial(self.compose, words)
        return Job(values, words, differing, number, total, self, compose=self.compose)

    def combinations(self) -> "list[Job]":
        """Return a job for each combination, the last word's values changing first; of an interval its low end."""
        lists = ([each.word(each.low)] if isinstance(each, Bounds) else each for each in self.choices)
        found = list(itertools.product(*lists))
        return [self.job(words, number, len(found)) for number, words in enumerate(found, 1)]


@dataclass(frozen=True)
class Job:
    """One thing to do: all that a command line asks for, or one combination of a sweep.

    `values` composes its config from its `words`, and raises `ConfigError` if it cannot; `compose`, where given,
    does so from others. `subject` is the word that is no key: a run to resume, what to do with data. In a `sweep`,
    `differing` are the words that tell it from the other jobs, and `number` counts from 1 to `total`. What a
    command finds out of its run, it adds to `found`: folder, status, step, score. A `judge` is told the step and
    score of each evaluation, a smaller one for a better run, and returns whether the run is given up.
    """

    values: Callable[[], Typed]
    words: Sequence[str] = ()
    differing: tuple[str, ...] = ()
    number: int = 1
    total: int = 1
    sweep: Sweep | None = None
    subject: str = ""
    found: dict[str, Any] = field(default_factory=dict)
    compose: Callable[[Sequence[str]], Typed] | None = None
    judge: Callable[[int, float], bool] | None = None

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
