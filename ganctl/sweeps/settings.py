"""The typed groups `sweeper` and `launcher`: how the jobs of a sweep are chosen, and what starts them."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from ganctl.registry import Spec
from ganctl.validation import validate

Trials = Annotated[int, Field(ge=1, le=10_000)]


class GridSweep(Spec):
    """Every combination of the values."""

    name: Literal["grid"]
    retry: bool


class RandomSweep(Spec):
    """So many jobs of values drawn at random."""

    name: Literal["random"]
    trials: Trials
    seed: Annotated[int, Field(ge=0)]
    retry: bool


class SearchSweep(Spec):
    """So many jobs, whose values are chosen by how earlier ones scored."""

    name: Literal["optuna"]
    trials: Trials
    seed: Annotated[int, Field(ge=0)]
    startup: Annotated[int, Field(ge=1)]
    prune: bool
    retry: bool


class Launcher(Spec):
    """One of Hydra's launchers, with settings of its own; `jobs` share a machine, None if another allots it."""

    name: str
    jobs: Annotated[int, Field(ge=1, le=1024)] | None
    plugin: dict[str, Any]

    @property
    def here(self) -> bool:
        """Whether the jobs run in this process, one after the other."""
        return self.name == "basic"

    @property
    def detached(self) -> bool:
        """Whether jobs go on when the process that started them ends."""
        return self.name.startswith("submitit")


class SweepSettings(Spec):
    """What a sweep is told beside its words."""

    sweeper: Annotated[GridSweep | RandomSweep | SearchSweep, Field(discriminator="name")]
    launcher: Launcher


def settings_of(values: Mapping[str, Any]) -> SweepSettings:
    """Validate the composed groups. Raises `ConfigError` that names the first wrong key."""
    return validate(SweepSettings, values)
