"""The words of a sweep: what each of them stands for, and the jobs that come of it."""

import hashlib
import itertools
import math
import random
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from omegaconf import OmegaConf

from ganctl.command_line.explain import config_folder, errors_in_our_words, tree_of
from ganctl.command_line.jobs import Bounds, Sweep, Typed, Values
from ganctl.command_line.launchers import launch
from ganctl.command_line.wording import split
from ganctl.errors import ConfigError
from ganctl.runtime.root import outputs

MOST_JOBS = 10_000
"""Combinations of one sweep."""

GROUPS = {"sweeper": "grid", "launcher": "basic"}
"""The groups that say how jobs are chosen and started, with their defaults; they belong to no run."""

GRID = GROUPS["sweeper"]
"""The sweep of every combination."""

REPEATED = r"\+*(launcher\b|sweeper\.(retry|trials)\b)"
"""Words that may be others when a sweep is repeated."""


def of_sweep(word: str) -> bool:
    """Return whether a word says how jobs are chosen or started."""
    return re.split(r"[.=]", word.lstrip("+~ \t"))[0] in GROUPS


def sweep_of(
    command: str,
    loader: ConfigLoaderImpl,
    words: Sequence[str],
    composed: Callable[[Sequence[str]], Any],
    values: Callable[[Sequence[str]], Typed],
) -> Sweep:
    """Return the sweep that words ask for; `composed` and `values` compose them to Hydra's config and a job's.

    Only `ganctl train` has a choice of plans and launchers. Raises `ConfigError` for words that cannot be
    composed, and for more combinations than `MOST_JOBS`.
    """
    choices: dict[str, Values] = {}
    plain: Any = {group: tree_of(config_folder() / group / f"{name}.yaml") for group, name in GROUPS.items()}
    swept = list(words)
    with errors_in_our_words(command, words):
        if command == "train":
            settings = OmegaConf.masked_copy(composed([word for word in words if of_sweep(word)]), list(GROUPS))
            plain = OmegaConf.to_container(settings, resolve=True)
            swept = [word for word in words if not of_sweep(word)]
        for override in OverridesParser.create(config_loader=loader).parse_overrides(swept):
            key = override.get_key_element()
            choices.pop(key, None)  # the last word for a key counts, in its place
            choices[key] = _alternatives(override, plain["sweeper"]["name"])
            if math.prod(len(each) for each in choices.values() if isinstance(each, list)) > MOST_JOBS:
                raise ConfigError(
                    f"{override.input_line}: makes a sweep of more than {MOST_JOBS:,} jobs; take fewer values"
                )
        ends = [each if isinstance(each, list) else _ends(each) for each in choices.values()]
        first = [each[0] for each in ends]
        composed(first)
        for place, each in enumerate(ends):  # what is wrong with any word is so found
            for word in each[1:]:
                composed([*first[:place], word, *first[place + 1 :]])
    told = "\n".join(word for word in words if not re.match(REPEATED, word))
    digest = hashlib.sha256(told.encode(errors="surrogatepass")).hexdigest()
    folder = outputs() / f"sweep-{digest[:8]}"
    start = partial(launch, loader, plain["launcher"], folder)
    return Sweep(folder, plain, list(choices.values()), values, start)


def _ends(interval: Bounds) -> list[str]:
    return [interval.word(interval.low), interval.word(interval.high)]


def _alternatives(override: Override, plan: str) -> Values:
    """Return the words that a word stands for in a sweep: itself, or one for each value, of a plain list as typed.

    More than `MOST_JOBS` are not counted. Raises `ConfigError` for an interval where the plan takes every value.
    """
    word, key, sweep = str(override.input_line), override.get_key_element(), override.value()
    if not override.is_sweep_override():
        return [word]
    if isinstance(sweep, IntervalSweep) and plan != GRID:
        return _interval(key, word, sweep)
    if not override.is_discrete_sweep():
        raise ConfigError(
            f"{word}: has no single values to run through; list them, {key}=0.1,0.2, or add sweeper=random or "
            "sweeper=optuna, which draw from it"
        )
    shuffled = isinstance(sweep, RangeSweep) and sweep.shuffle
    if isinstance(sweep, RangeSweep):
        sweep.shuffle = False  # for which Hydra would list all of the range
    values = list(itertools.islice(override.sweep_string_iterator(), MOST_JOBS + 1))
    if shuffled:
        random.shuffle(values)
    if not values:
        raise ConfigError(f"{word}: matches no value to run through")
    typed = split(word.partition("=")[2])
    plain = isinstance(sweep, ChoiceSweep) and sweep.simple_form and len(typed) == len(values)
    return [f"{key}={value}" for value in (typed if plain else values)]


def _interval(key: str, word: str, sweep: IntervalSweep) -> Bounds:
    low, high, log = sweep.start, sweep.end, "log" in sweep.tags
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ConfigError(f"{word}: an interval needs two bounds, the smaller one first")
    if log and low <= 0:
        raise ConfigError(f"{word}: an interval tagged log needs bounds above 0")
    return Bounds(key, low, high, log, isinstance(low, int) and isinstance(high, int))
