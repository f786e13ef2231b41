"""The typed schema of `ganctl train` and of every saved config.

Values come from YAML through `compose`; here are their types, ranges and meaning. Below this module there
is no plain dictionary of settings.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SerializeAsAny, create_model

from ganctl.augment import AUGMENTS, Augment
from ganctl.auxiliary import AUXILIARIES, Auxiliary
from ganctl.command_line.jobs import Typed
from ganctl.data.sources import SOURCES, Source
from ganctl.game.round import PlayerName
from ganctl.loggers import LOGGERS, Log
from ganctl.losses import LOSSES, Loss
from ganctl.metrics import EXTRACTORS, METRICS, FeatureExtractor, Metric
from ganctl.migrations import as_first_named, completed, without_effect
from ganctl.models import MODELS, Model
from ganctl.optim import OPTIMIZERS, Optimizer
from ganctl.penalties import PENALTIES, Penalty
from ganctl.registry import Component, Family, Spec
from ganctl.schedules import Schedule
from ganctl.validation import validate

AtLeastOne = Annotated[int, Field(ge=1)]
Updates = Annotated[int, Field(ge=1, le=10_000)]
"""Of one step, which is the smallest part of a run that can be gone on from."""

Count = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
TIME = r"(?a:\d{1,9}(\.\d{1,9})?[smhd])"


def _form(pattern: str, words: str) -> AfterValidator:
    """Return a check that a text has a form, with the words that tell a user which."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(words)
        return value

    return AfterValidator(check)


class DeviceConfig(Spec):
    """Where to compute, in which precision, on how many CPU threads, and how steps reach a CUDA device."""

    name: Annotated[str, _form(r"auto|cpu|mps|cuda(:\d+)?", "must be auto, cpu, cuda, cuda:N or mps")]
    precision: Literal["auto", "fp32", "bf16", "fp16", "fp64"]
    strict: bool
    threads: Annotated[int, Field(ge=1, le=1024)] | None
    graphs: bool
    compile: bool
    sync_batch_norm: bool
    timeout: Annotated[float, Field(ge=1, le=86400)]


class TrainLoop(Spec):
    """How long, on how many samples and in which order the players learn.

    The discriminator gives one logit per `pack` samples (PacGAN: Lin et al. 2018, section 3). The generator learns
    from the share `topk` of its samples that have the highest logits (Sinha et al. 2020, section 3).
    """

    steps: Annotated[int, Field(ge=1, le=10**12)]
    batch_size: Annotated[int, Field(ge=2)]
    pack: AtLeastOne
    topk: Annotated[float, Field(gt=0, le=1)]
    n_dis: Updates
    n_gen: Updates
    first: PlayerName
    share_fakes: bool
    accumulate: Updates
    clip_norm: Positive | None
    clip_value: Positive | None
    on_divergence: Literal["stop", "rollback"]
    max_rollbacks: Count
    patience: AtLeastOne | None
    max_time: Annotated[str, _form(TIME, "must be a number and its unit, such as 90s, 30m, 7.5h or 2d")] | None

    @property
    def seconds(self) -> float | None:
        """The time limit in seconds."""
        return None if self.max_time is None else float(self.max_time[:-1]) * SECONDS[self.max_time[-1]]


class EmaConfig(Spec):
    """Averaging of the generator's weights."""

    half_life: Annotated[float, Field(ge=0)]
    ramp: Annotated[float, Field(ge=0, le=1)]


class ScheduleConfig(Spec):
    """What moves while a run goes on: both learning rates, the penalties' weights, the EMA's half-life."""

    learning_rate: Schedule
    penalty: Schedule
    ema: Schedule


class LoggingConfig(Spec):
    """How often losses are written, in steps."""

    every: AtLeastOne


class SampleConfig(Spec):
    """How often, in steps, and how many samples are drawn into an image, and whether the terminal shows it."""

    every: Count
    num: Annotated[int, Field(ge=1, le=10_000)]
    show: bool


class CheckpointConfig(Spec):
    """How often the state is saved, in steps, and which of these are kept: the newest, and every so many steps."""

    every: Count
    keep: AtLeastOne
    keep_every: Count

    def keeps(self, rank: int, step: int) -> bool:
        """Return whether a checkpoint of a step stays that `rank` others are newer than."""
        return rank < self.keep or (self.keep_every > 0 and step % self.keep_every == 0)


class EvaluateConfig(Spec):
    """How often and how many samples are measured on the way, and what tells which checkpoint is best."""

    every: Count
    num: Annotated[int, Field(ge=2, le=1_000_000)]
    best: str | None


TermName = Annotated[str, _form(r"(?a:[A-Za-z][\w-]{0,99})", "must be letters, digits, _ and -")]
PLACE_OF_WEIGHTS = ("init_from", "init_which")
RUN_NAME = "must be a folder's name of letters, digits and .,_+=- (but not latest)"


class TrainConfig(Spec):
    """Everything that `ganctl train` is told."""

    data: SerializeAsAny[Source]
    model: SerializeAsAny[Model]
    loss: SerializeAsAny[Loss]
    penalty: dict[str, SerializeAsAny[Penalty]]
    auxiliary: dict[str, SerializeAsAny[Auxiliary]]
    augment: dict[str, SerializeAsAny[Augment]]
    optimizer: SerializeAsAny[Optimizer]
    device: DeviceConfig
    name: Annotated[str, _form(r"(?!latest$)\w[\w.+=,-]*", RUN_NAME)] | None
    seed: Count
    init_from: str | None
    init_which: Literal["newest", "best"]
    init_digest: str | None
    plugins: list[str]
    train: TrainLoop
    ema: EmaConfig
    schedule: ScheduleConfig
    logging: LoggingConfig
    sample: SampleConfig
    checkpoint: CheckpointConfig
    evaluate: EvaluateConfig
    metric: dict[str, SerializeAsAny[Metric]]
    features: SerializeAsAny[FeatureExtractor] | None
    logs: dict[str, SerializeAsAny[Log]]

    def saved(self) -> dict[str, Any]:
        """Return the config as plain data for files: all but the plugins, which no file may name."""
        return self.model_dump(mode="json", exclude={"plugins"})

    def changeable(self) -> frozenset[str]:
        """Return the keys that leave a run's numbers alone, and may differ when it goes on."""
        place = {f"data.{key}" for key in self.data.placement}
        length = set() if any(each.ends_with_the_run for _, each in self.schedule) else {"train.steps"}
        ending = {f"train.{key}" for key in ("on_divergence", "max_rollbacks", "patience", "max_time")}
        seen = {"logging", "logs", "sample", "checkpoint", "evaluate", "metric", "features"}
        return frozenset({"name", "device"} | seen | place | length | ending)

    def may_change(self, key: str) -> bool:
        """Return whether a dotted key is one of `changeable`, or below one."""
        return any(key == name or key.startswith(f"{name}.") for name in self.changeable())

    def identity(self) -> dict[str, Any]:
        """Return the flattened keys and values that determine a run's numbers.

        Keys that later versions added count only where they have an effect, so that old runs keep their names. Of
        the weights that a run begins with, their digest counts, and not where they were found.
        """
        values = flatten(self.saved())
        idle = without_effect(values)
        return {
            key: value
            for key, value in values.items()
            if key not in PLACE_OF_WEIGHTS
            and not self.may_change(key)
            and not (key in idle and idle[key] == value)
        }

    def run_name(self, *, sweep: bool = False, words: str = "") -> str:
        """Return the run folder's name, which follows from the config, and from a sweep's words that differ."""
        if self.name is not None and not sweep:
            return self.name
        prefix, middle, ending = self.name_parts()
        return f"{prefix}{self.data.title}{middle}{words and f'-{words}'}{ending}"

    def name_parts(self) -> tuple[str, str, str]:
        """Return what a derived name has before and after the data's title, and the digest that ends it."""
        prefix = "" if self.name is None else f"{self.name}-"
        return prefix, f"-{self.model.name}-{self.loss.name}", f"-{self.digest()[:8]}"

    def digest(self) -> str:
        """Return the sha256 of `identity`, by which runs are told apart."""
        return hashlib.sha256(json.dumps(as_first_named(self.identity()), sort_keys=True).encode()).hexdigest()


def train_config(values: Mapping[str, Any]) -> TrainConfig:
    """Validate a composed or saved config of `ganctl train`; nothing that it names is imported.

    Raises `ConfigError` that names the first wrong key.
    """
    families = (*ONE_OF, EXTRACTORS, *SEVERAL_OF)
    schema = _train_schema(tuple(family[name] for family in families for name in family))
    return validate(schema, Typed(completed({"plugins": [], **values}), getattr(values, "typed", {})))


ONE_OF: tuple[Family[Any], ...] = (SOURCES, MODELS, LOSSES, OPTIMIZERS)
SEVERAL_OF: tuple[Family[Any], ...] = (PENALTIES, AUXILIARIES, AUGMENTS, METRICS, LOGGERS)


@lru_cache(maxsize=1)
def _train_schema(registered: tuple[type[Component], ...]) -> type[TrainConfig]:
    """Return the schema with all options of each family; it changes only when a plugin has registered another."""
    families: dict[str, Any] = {family.key: (family.union(), ...) for family in ONE_OF}
    families[EXTRACTORS.key] = (EXTRACTORS.union() | None, ...)
    families |= {family.key: (dict.__class_getitem__((TermName, family.union())), ...) for family in SEVERAL_OF}
    return create_model("TrainConfig", __base__=TrainConfig, **families)


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one with dotted keys; an empty mapping stays a value."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
