"""Schedules: how a setting changes during a run, as a factor that depends on the step alone."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from ganctl.registry import Spec

SHAPES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 0.0,
    "linear": lambda progress: progress,
    "cosine": lambda progress: (1 - math.cos(math.pi * progress)) / 2,
}
"""How much of the way from the start's value to the final one is done at a progress from 0 to 1."""


class ScheduleSpec(Spec):
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


@dataclass(frozen=True)
class Schedule:
    """A schedule whose end is known, in steps."""

    spec: ScheduleSpec
    end: int

    @classmethod
    def constant(cls) -> "Schedule":
        """Return the schedule that moves nothing."""
        return cls(ScheduleSpec(shape="constant", warmup=0, final=1.0, until=None), 1)

    @property
    def moves(self) -> bool:
        """Whether the factor is not the same at every step."""
        return self.spec.shape != "constant" or self.spec.warmup > 0

    def factor(self, step: int) -> float:
        """Return the factor at a step (from 0), ≥ 0."""
        spec = self.spec
        if step < spec.warmup:
            return (step + 1) / spec.warmup
        progress = min(1.0, (step - spec.warmup) / max(1, self.end - spec.warmup))
        return 1 + (spec.final - 1) * SHAPES[spec.shape](progress)
