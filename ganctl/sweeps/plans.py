"""Which jobs a sweep has: every combination, values drawn at random, or values that a search chooses."""

import math
import random
from collections.abc import Iterator, Sequence

from ganctl.command_line.jobs import Bounds, Job, Sweep, Values
from ganctl.errors import ConfigError
from ganctl.sweeps.settings import RandomSweep, SearchSweep, SweepSettings


def batches_of(sweep: Sweep, settings: SweepSettings) -> Iterator[Sequence[Job]]:
    """Yield the jobs of a sweep, those that may run at the same time together.

    A search goes on by the scores of a batch, which its jobs hold by then. Raises `ConfigError` for a sweep whose
    words leave nothing to choose from.
    """
    plan = settings.sweeper
    if plan.name != "grid" and not any(isinstance(each, Bounds) or len(each) > 1 for each in sweep.choices):
        raise ConfigError(
            f"sweeper={plan.name}: every key has one value; give it some, seed=1,2 or lr=interval(a,b)"
        )
    match plan:
        case RandomSweep():
            words = [_drawn(sweep.choices, plan.seed, number) for number in range(plan.trials)]
            yield [sweep.job(each, number, plan.trials) for number, each in enumerate(words, 1)]
        case SearchSweep():
            from ganctl.sweeps.search import searched

            yield from searched(sweep, plan, settings.launcher.jobs or 1)
        case _:
            yield sweep.combinations()


def _drawn(choices: Sequence[Values], seed: int, number: int) -> list[str]:
    """Return the words of a job, drawn independently: the same for the same seed and number."""
    source = random.Random(f"{seed}-{number}")
    return [_one(each, source) for each in choices]


def _one(values: Values, source: random.Random) -> str:
    if not isinstance(values, Bounds):
        return source.choice(values)
    if values.log:
        return values.word(math.exp(source.uniform(math.log(values.low), math.log(values.high))))
    if values.whole:
        return values.word(source.randint(int(values.low), int(values.high)))
    return values.word(source.uniform(values.low, values.high))
