"""Signs of a game that goes wrong: who is winning, does the generator still learn, do its samples differ."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ganctl.config import TrainConfig
from ganctl.runs import advice

WON = 0.99
"""Separation from which on the discriminator has nothing left to learn from the generator."""
LOST = 0.4
"""Separation below which the discriminator does worse than guessing."""
VANISHED = 1e-7
"""Gradient entries of about this size come near what Adam adds to its denominator (1e-8): updates shrink."""
ALIKE = 0.3
"""Diversity below which samples are hardly more than variations of one."""

LONG_STEPS, LONG_SHARE, LONG_ROWS = 400, 0.05, 5
"""What counts as long: steps, share of the run, and logged rows; the longest of the three."""


@dataclass(frozen=True)
class Trouble:
    """A sign beyond its threshold: what to call it, and what usually helps.

    A Wasserstein critic should be as good as it can be (Arjovsky et al. 2017, section 3): `spares_critics`.
    """

    sign: str
    crossed: Callable[[float], bool]
    words: str
    remedies: Callable[[TrainConfig], list[str]]
    spares_critics: bool = False


TROUBLES = (
    Trouble(
        "health/separation",
        lambda share: share >= WON,
        f"the discriminator has won: it told real from generated samples in {WON:.0%} of pairs or more",
        advice.of_a_discriminator_that_has_won,
        spares_critics=True,
    ),
    Trouble(
        "health/separation",
        lambda share: share <= LOST,
        f"the discriminator has lost: it took generated samples for real ones in {1 - LOST:.0%} of pairs or more",
        advice.of_a_discriminator_that_has_lost,
    ),
    Trouble(
        "health/generator_gradient",
        lambda size: size < VANISHED,
        f"the generator hardly learns: the entries of its gradient were below {VANISHED:.0e}",
        advice.of_a_vanishing_gradient,
    ),
    Trouble(
        "health/diversity",
        lambda ratio: ratio < ALIKE,
        f"the generator's samples are too much alike: they lay less than {ALIKE:.0%} as far apart as real ones",
        advice.of_samples_that_are_alike,
    ),
)
"""Every kind of trouble that is reported; a new one is an entry here and its remedies."""


@dataclass
class Spell:
    """Consecutive logged rows on one side of a threshold, `since` a step."""

    crossed: bool = False
    since: int = 0
    rows: int = 0
    reported: bool = False

    def add(self, step: int, crossed: bool, long: int) -> bool:
        """Count one more row; return whether trouble has gone on for `long` steps and has yet to be reported.

        It is reported again only after it has been away for as long.
        """
        if crossed != self.crossed:
            self.crossed, self.since, self.rows = crossed, step, 0
        self.rows += 1
        if self.rows < LONG_ROWS or step - self.since < long:
            return False
        news = crossed and not self.reported
        self.reported = crossed
        return news


class HealthWatch:
    """Reports in one line when a run has been in trouble for long, and what usually helps.

    No checkpoint holds what it has counted, so the numbers of a run never depend on it.
    """

    def __init__(self, config: TrainConfig) -> None:
        self._config = config
        self._long = max(LONG_STEPS, round(LONG_SHARE * config.train.steps))
        critic = config.loss.critic
        self._spells = [(trouble, Spell()) for trouble in TROUBLES if not (critic and trouble.spares_critics)]

    def look(self, step: int, row: Mapping[str, float]) -> list[str]:
        """Return the lines to report after a logged row; a number that is missing or NaN is no trouble."""
        lines = []
        for trouble, spell in self._spells:
            crossed = trouble.crossed(row.get(trouble.sign, math.nan))
            if spell.add(step, crossed, self._long):
                helps = ", ".join(trouble.remedies(self._config))
                lines.append(
                    f"health  {trouble.words} for {step - spell.since:,} steps; what usually helps: {helps}"
                )
        return lines
