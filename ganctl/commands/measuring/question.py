"""What `ganctl evaluate` is told, of a trained generator or of images that are there."""

import os
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, SerializeAsAny, create_model

from ganctl.command_line.jobs import Typed
from ganctl.commands.words.seeds import Seeds
from ganctl.config import DeviceConfig
from ganctl.data.source import Resolution
from ganctl.errors import ConfigError
from ganctl.metrics import EXTRACTORS, METRICS, FeatureExtractor, Metric
from ganctl.registry import Spec
from ganctl.runs.generator import GeneratorCommand
from ganctl.validation import validate

DRAWN = 10_000
"""Samples that are drawn for each seed where no number is asked for."""

Count = Annotated[int, Field(ge=2, le=1_000_000)]


def _different(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("must differ from each other, for an interval over equal ones says nothing")
    return seeds


class Question(Spec):
    """What is asked of samples, whoever made them, and what they are compared with."""

    reference: str | None
    resolution: Resolution | None
    channels: Literal[1, 3, 4] | None
    floor: bool
    cache: str
    as_json: bool = Field(alias="json")
    data: dict[str, Any]
    metric: Annotated[dict[str, SerializeAsAny[Metric]], Field(min_length=1)]
    features: SerializeAsAny[FeatureExtractor]


class EvaluateCommand(GeneratorCommand, Question):
    """Everything that `ganctl evaluate` is told of a run or a checkpoint file."""

    which: Literal["newest", "best", "all"]  # type: ignore[assignment]
    num: Count
    seeds: Annotated[Seeds, AfterValidator(_different)]
    per_class: bool
    batch_size: Annotated[int, Field(ge=1)] | None

    def asked(self) -> dict[str, Any]:
        """Return the question, as plain data: what two answers must have in common to be compared."""
        always = {"num", "seeds", "floor", "ema", "metric", "features"}
        if_set = {key for key in ("per_class", "standing") if getattr(self, key)}
        return self.model_dump(mode="json", include=always | if_set)


class ImagesCommand(Question):
    """Everything that `ganctl evaluate` is told of images that are there; `num` is None for all of them."""

    samples: str
    num: Count | None
    plugins: list[str]
    device: DeviceConfig
    out: Annotated[str, AfterValidator(os.path.expanduser)] | None

    def asked(self) -> dict[str, Any]:
        """Return the question, as plain data: what two answers must have in common to be compared."""
        return self.model_dump(mode="json", include={"num", "floor", "metric", "features"})


C = TypeVar("C", bound=Question)


def evaluate_command(values: Mapping[str, Any]) -> EvaluateCommand:
    """Validate a composed config of `ganctl evaluate` for a run or a checkpoint file.

    Raises `ConfigError` that names the first wrong key.
    """
    if values.get("ckpt") is None:
        raise ConfigError(
            "ckpt: required, but not given; add ckpt=…, or samples=… and reference=… for images that are there"
        )
    drawn = DRAWN if values["num"] is None else values["num"]
    return _validated(EvaluateCommand, {**values, "num": drawn}, getattr(values, "typed", {}), {"samples"})


def images_command(values: Typed) -> ImagesCommand:
    """Validate a composed config of `ganctl evaluate` for images that are there.

    Raises `ConfigError` that names the first wrong key, also one that is for a generator alone.
    """
    known = {field.alias or name for name, field in ImagesCommand.model_fields.items()}
    of_generators = values.keys() - known
    for key in values.typed:
        if key.partition(".")[0] in of_generators:
            raise ConfigError(
                f"{key}: is for what a generator draws, and samples={values['samples']} are there already; leave "
                "one of them out"
            )
    if values["reference"] is None and "name" not in values["data"]:
        raise ConfigError(
            "reference: required with samples=…; name a folder, a .zip, .npz or .npy file, or a data set such as "
            "reference=mnist"
        )
    return _validated(ImagesCommand, values, values.typed, of_generators)


def _validated(schema: type[C], values: Mapping[str, Any], typed: Mapping[str, str], without: set[str]) -> C:
    metrics: Any = dict.__class_getitem__((str, METRICS.union()))
    metric: Any = (Annotated[metrics, Field(min_length=1)], ...)
    features: Any = (EXTRACTORS.union(), ...)
    whole = create_model(schema.__name__, __base__=schema, metric=metric, features=features)
    return validate(whole, Typed({key: value for key, value in values.items() if key not in without}, typed))
