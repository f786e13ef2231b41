"""Schedules: how a setting changes during a run, as a factor that depends on the step alone."""

import math
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from ganctl.registry import Spec

SHAPES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 0.0,
    "linear": lambda progress: progress,
    "cosine": lambda progress: (1 - math.cos(math.pi * progress)) / 2,
}
"""How much of the way from the start's value to the final one is done at a progress from 0 to 1."""


class Schedule(Spec):
    """A factor that rises from 0 to 1 over `warmup` steps, then moves to `final`, where it is after `until` steps.

    (Cosine: Loshchilov and Hutter 2017, equation 5, without restarts.)
    """

    shape: Literal["constant", "linear", "cosine"]
    warmup: Annotated[int, Field(ge=0)]
    final: Annotated[float, Field(ge=0)]
    until: Annotated[int, Field(ge=1)] | None

    @property
    def ends_with_the_run(self) -> bool:
        """Whether the factor depends on how long the run is."""
        return self.shape != "constant" and self.until is None

    @property
    def moves(self) -> bool:
        """Whether the factor is not the same at every step."""
        return self.shape != "constant" or self.warmup > 0

    def ending(self, steps: int) -> "Schedule":
        """Return the schedule of a run of so many steps, at whose end it ends unless it says when."""
        return self.model_copy(update={"until": self.until or steps})

    def factor(self, step: int) -> float:
        """Return the factor at a step (from 0), ≥ 0; the schedule's end must be known."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        assert self.until is not None
        progress = min(1.0, (step - self.warmup) / max(1, self.until - self.warmup))
        return 1 + (self.final - 1) * SHAPES[self.shape](progress)


CONSTANT = Schedule(shape="constant", warmup=0, final=1.0, until=1)
"""The schedule that moves nothing."""
