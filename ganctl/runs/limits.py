"""What ends a run before its last step: no better score for long, a time limit, or a search that gives it up."""

import time
from collections.abc import Callable

from ganctl.checkpoints.file import Score
from ganctl.config import TrainConfig
from ganctl.errors import TimeUpError, counted

Judge = Callable[[int, float], bool]
"""Is told the step and score of an evaluation, a smaller one for a better run; returns whether it is given up."""


class Limits:
    """Says when a run ends early. The clock of `train.max_time` starts with the object."""

    def __init__(self, config: TrainConfig, judge: Judge | None = None) -> None:
        self._train, self._every = config.train, config.evaluate.every
        self._judge = judge
        limit = config.train.seconds
        self._deadline = None if limit is None else time.monotonic() + limit

    def out_of_time(self) -> bool:
        """Return whether the time limit is reached."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def time_up(self, step: int) -> TimeUpError:
        """Return the error that ends a process whose time is up, of which a step is saved."""
        return TimeUpError(
            f"train.max_time={self._train.max_time} is reached after step {step:,}, which is saved; the same "
            "command goes on from there"
        )

    def out_of_patience(self, step: int, best_step: int | None) -> str | None:
        """Return why a run whose best score is that of an earlier step ends at this one; None if it goes on."""
        patience = self._train.patience
        if patience is None or not self._every or best_step is None or step - best_step < patience * self._every:
            return None
        return f"no better score for {counted(patience, 'evaluation')} since step {best_step:,}"

    def given_up(self, step: int, score: Score | None) -> str | None:
        """Return why a search ends the run after an evaluation; None if it goes on."""
        if self._judge is None or score is None:
            return None
        if not self._judge(step, score.value if score.better == "lower" else -score.value):
            return None
        return "pruned: at this step, most other trials of the search were better"
