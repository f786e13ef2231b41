"""The checkpoints of a run, measured one after the other against one set of real images."""

import time
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ganctl.commands.measuring.places import asked_of, described, load, source_of
from ganctl.commands.measuring.question import EvaluateCommand
from ganctl.commands.measuring.results import Result, floor_of, numbers_of
from ganctl.commands.measuring.tables import brief
from ganctl.commands.words.real_data import data_of
from ganctl.config import TrainConfig
from ganctl.data.store import Store
from ganctl.errors import CheckpointError, ConfigError, DataError
from ganctl.folders.find import find_run
from ganctl.folders.records import is_run
from ganctl.metrics import Baseline, Numbers
from ganctl.runs.evaluation import Evaluation, Side
from ganctl.runs.generator import NONE_INTACT, TrainedGenerator, checkpoints_of, open_each, open_generator
from ganctl.runtime.console import say
from ganctl.runtime.version import __version__
from ganctl.samples import IMAGES, SampleSpace


class Against(NamedTuple):
    """What a run is compared with: a config and data, which features are opened for, and the real samples.

    Where these are not what it was trained on, `asked` says which they are. `space` is what the run makes, where
    the data does not tell.
    """

    config: TrainConfig
    store: Store
    real: Side
    asked: dict[str, Any] | None = None
    space: SampleSpace | None = None


def opened(command: EvaluateCommand, typed: Mapping[str, str]) -> tuple[Path, Iterator[Result]]:
    """Return the folder of a run, and the results of its checkpoints, each of which is measured where it is taken.

    Raises `CheckpointError` if there is no intact checkpoint, `DataError` if the data is not there, `ConfigError`
    for keys that do not go together; the results raise it for metrics that have no meaning here.
    """
    if (path := find_run(command.ckpt)).is_dir() and not is_run(path):
        raise CheckpointError(
            f"{command.ckpt}: no run folder (it has no config.yaml); images that are there are measured by "
            f"`ganctl evaluate samples={command.ckpt} reference=…`"
        )
    generators = _generators(command)
    first = next(generators, None)
    if first is None:
        raise CheckpointError(f"{command.ckpt}: {NONE_INTACT}")
    if command.per_class and not first.space.classes:
        raise ConfigError(
            "per_class: the model of this run is not conditional, so its samples have no classes; set it to "
            "false, or train with model.conditional=true"
        )
    against = _against(command, first, typed)
    if command.per_class and first.space.classes != against.real.store.classes:
        raise ConfigError("per_class: the reference has other classes than the run; set it to false")
    return first.folder(), _results(command, first, generators, against)


def _generators(command: EvaluateCommand) -> Iterator[TrainedGenerator]:
    if command.which == "all":
        yield from open_each(checkpoints_of(command, best=True), command)
    else:
        yield open_generator(command)


def _against(command: EvaluateCommand, trained: TrainedGenerator, typed: Mapping[str, str]) -> Against:
    """Return the data that a run was trained on, another part of it, or the reference that is named."""
    if "name" in command.data:
        return _reference(command, trained, typed)
    for key in ("resolution", "channels"):
        if getattr(command, key) is not None:
            raise ConfigError(f"{key}: is for images that are given by samples=… or reference=…; leave it out")
    moved = {key: value for key, value in command.data.items() if key != "split"}
    split = command.data.get("split")
    if split is not None and "split" not in type(trained.config.data).model_fields:
        raise ConfigError(
            f"data.split: {trained.config.data.name} has no parts; compare with images of your own by reference=…"
        )
    config, store = data_of(trained, moved, typed)
    other = config.data
    if split is not None:
        other = source_of(config.saved()["data"] | {"split": split}, typed, "reference")
    if other == config.data:
        return Against(config, store, Side(config.data, store))
    return Against(config, store, Side(other, load(other, "reference")), asked_of(other))


def _reference(command: EvaluateCommand, trained: TrainedGenerator, typed: Mapping[str, str]) -> Against:
    """Return other real images in the shape of a run's; features are opened for these."""
    space = trained.space
    channels, side = space.shape[:2] if space.kind is IMAGES else (None, None)
    shape = (command.resolution or side, command.channels or channels)
    source = source_of(command.data, typed, "reference", *shape)
    store = load(source, "reference")
    if store.space.shape != space.shape:
        raise DataError(
            f"reference: holds {store.space.describe()}, and this generator makes {space.describe()}; take others "
            "of that shape"
        )
    if space.classes and store.classes != space.classes:
        say("reference: has other classes than the run, which is asked for all of its own equally often")
    config = trained.config.model_copy(update={"data": source})
    return Against(config, store, Side(source, store), asked_of(source), space)


def _results(
    command: EvaluateCommand, first: TrainedGenerator, others: Iterator[TrainedGenerator], against: Against
) -> Iterator[Result]:
    evaluate = against.config.evaluate.model_copy(update={"num": command.num})
    asked = {"metric": command.metric, "features": command.features, "evaluate": evaluate}
    config = against.config.model_copy(update=asked)
    real, space = against.real, against.space
    evaluation = Evaluation(config, against.store, first.device, command.cache, real=real, space=space)
    baseline: Baseline | None = None
    for trained in chain([first], others):
        started = time.perf_counter()
        if command.standing:
            trained.measure_norms(command.standing)
        found = [evaluation.numbers(trained.network, seed, command.batch_size) for seed in command.seeds]
        if command.floor and baseline is None:
            baseline = evaluation.baseline(command.seeds[0])
        result = _result(command, trained, evaluation, against, found, baseline)
        if command.per_class:
            parts = evaluation.by_class(trained.network, command.seeds, command.batch_size, floor=command.floor)
            result["per_class"] = {
                part.name: {"reference": part.count, "numbers": numbers_of(part.found, part.baseline)}
                for part in parts
            }
        result["precision"] = trained.device.precision
        result["seconds"] = round(time.perf_counter() - started, 1)
        if command.which == "all":
            say(brief(result))
        yield result


def _result(
    command: EvaluateCommand,
    trained: TrainedGenerator,
    evaluation: Evaluation,
    against: Against,
    found: list[Numbers],
    baseline: Baseline | None,
) -> Result:
    """Return what was measured, and what it was compared with, as plain data."""
    header = trained.checkpoint.header
    other = {} if against.asked is None else {"reference": against.asked}
    return {
        "checkpoint": trained.checkpoint.path.name,
        "step": header.step,
        "asked": command.asked() | other,
        "features": evaluation.extractor.about(),
        "reference": described(against.real),
        "floor": floor_of(baseline),
        "versions": {"ganctl": __version__, "torch": torch.__version__},
        "numbers": numbers_of(found, baseline),
    }
