"""ganctl evaluate: numbers that compare a generator's samples with the data it was trained on."""

import errno
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import torch
from filelock import FileLock
from pydantic import AfterValidator, Field, SerializeAsAny, create_model
from pydantic_core import from_json, to_json
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ganctl.checkpoints.file import Checkpoint
from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.words.output import file_named, writing
from ganctl.commands.words.real_data import data_of
from ganctl.commands.words.seeds import Seeds
from ganctl.errors import ConfigError, WriteError, one_line
from ganctl.metrics import EXTRACTORS, METRICS, Baseline, FeatureExtractor, Metric, Numbers
from ganctl.runs.evaluation import Evaluation, OfClass
from ganctl.runs.generator import GeneratorCommand, TrainedGenerator, open_generator
from ganctl.runtime.bounded import read_bytes
from ganctl.runtime.console import say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.intervals import interval
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.runtime.version import __version__
from ganctl.validation import validate

NAME = "evaluation.json"

LONGEST_FILE = 64 << 20
"""Bytes of evaluation.json; an evaluation of ten metrics has about 10,000."""


def _different(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("must differ from each other, for an interval over equal ones says nothing")
    return seeds


class EvaluateCommand(GeneratorCommand):
    """Everything that `ganctl evaluate` is told."""

    num: Annotated[int, Field(ge=2, le=1_000_000)]
    seeds: Annotated[Seeds, AfterValidator(_different)]
    floor: bool
    per_class: bool
    batch_size: Annotated[int, Field(ge=1)] | None
    cache: str
    data: dict[str, Any]
    metric: Annotated[dict[str, SerializeAsAny[Metric]], Field(min_length=1)]
    features: SerializeAsAny[FeatureExtractor]

    def asked(self) -> dict[str, Any]:
        """Return the question, as plain data: what two answers must have in common to be compared."""
        always = {"num", "seeds", "floor", "ema", "metric", "features"}
        if_set = {key for key in ("per_class", "standing") if getattr(self, key)}
        return self.model_dump(mode="json", include=always | if_set)


def evaluate_command(values: Mapping[str, Any]) -> EvaluateCommand:
    """Validate a composed config of `ganctl evaluate`.

    Raises `ConfigError` that names the first wrong key.
    """
    metrics: Any = dict.__class_getitem__((str, METRICS.union()))
    metric: Any = (Annotated[metrics, Field(min_length=1)], ...)
    features: Any = (EXTRACTORS.union(), ...)
    schema = create_model("EvaluateCommand", __base__=EvaluateCommand, metric=metric, features=features)
    return validate(schema, values)


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Measure a run or a checkpoint file, add the result to evaluation.json, and print a table.

    Raises `CheckpointError` if there is no intact checkpoint, `DataError` if its data is not there, `ConfigError`
    for metrics that have no meaning here and for a file that cannot be written. What was measured is written
    before it is shown.
    """
    command = evaluate_command(values)
    keep_freed_memory()
    trained = open_generator(command)
    if command.per_class and not trained.space.classes:
        raise ConfigError(
            "per_class: the model of this run is not conditional, so its samples have no classes; set it to "
            "false, or train with model.conditional=true"
        )
    config, store = data_of(trained, command.data, values.typed)
    evaluate = config.evaluate.model_copy(update={"num": command.num})
    asked = {"metric": command.metric, "features": command.features, "evaluate": evaluate}
    config = config.model_copy(update=asked)
    path = _place(command.out, trained)
    evaluation = Evaluation(config, store, trained.device, command.cache)
    started = time.perf_counter()
    if command.standing:
        trained.measure_norms(command.standing)
    found = [evaluation.numbers(trained.network, seed, command.batch_size) for seed in command.seeds]
    baseline = evaluation.baseline(command.seeds[0]) if command.floor else None
    result = _result(command, trained.checkpoint, evaluation, found, baseline)
    if command.per_class:
        parts = evaluation.by_class(trained.network, command.seeds, command.batch_size, floor=command.floor)
        result["per_class"] = {part.name: _of_class(part) for part in parts}
    result["precision"] = trained.device.precision
    result["seconds"] = round(time.perf_counter() - started, 1)
    try:
        _write(path, result)
    finally:
        _show(result)
    say(f"written to {path}")


def _result(
    command: EvaluateCommand,
    checkpoint: Checkpoint,
    evaluation: Evaluation,
    found: list[Numbers],
    baseline: Baseline | None,
) -> dict[str, Any]:
    """Return what was measured, and what it was compared with, as plain data."""
    header = checkpoint.header
    return {
        "checkpoint": checkpoint.path.name,
        "step": header.step,
        "asked": command.asked(),
        "features": evaluation.extractor.about(),
        "reference": {
            "data": header.config["data"]["name"],
            "split": header.config["data"].get("split", "all"),
            "fingerprint": header.data,
            "count": evaluation.real.count,
        },
        "floor": None if baseline is None else {"count": baseline.count, "reference": baseline.others},
        "versions": {"ganctl": __version__, "torch": torch.__version__},
        "numbers": _numbers(found, baseline),
    }


def _of_class(part: OfClass) -> dict[str, Any]:
    """Return what was measured of a class as plain data."""
    return {"reference": part.count, "numbers": _numbers(part.found, part.baseline)}


def _numbers(found: list[Numbers], baseline: Baseline | None) -> dict[str, Any]:
    """Return the numbers of each seed by metric and name: means, intervals, values, and the baseline."""
    lowest = baseline.numbers if baseline is not None else {}
    return {
        key: {
            name: asdict(interval([numbers[key][name] for numbers in found]))
            | {"floor": lowest.get(key, {}).get(name)}
            for name in named
        }
        for key, named in found[0].items()
    }


def _place(out: str | None, trained: TrainedGenerator) -> Path:
    """Return where results go: to `out`, or into the run's folder.

    Raises `ConfigError` for an `out` that holds something else or is of another kind, `WriteError` where nothing
    can be written.
    """
    if out is None:
        path = trained.folder() / NAME
    else:
        path = Path(out) if os.path.isfile(out) else file_named(out, {"json"}) or Path(out) / NAME
    with writing(path):  # a place that cannot be had is refused before anything is computed
        if path.is_dir():
            raise WriteError.of(path, errno.EISDIR)
    if not os.access(path.parent, os.W_OK):
        raise WriteError.of(path, errno.EACCES)
    if out is not None and _earlier(path) is None:
        raise ConfigError(f"out: {path} is there and holds no evaluations; choose another name")
    return path


def _write(path: Path, result: dict[str, Any]) -> None:
    """Add a result to the file, in place of an earlier one of the same question, while no other process does.

    A file that holds no results is kept under another name, which is reported.
    """
    same = ("checkpoint", "step", "asked", "precision")
    try:
        with ExitStack() as alone:
            with suppress(NotImplementedError):  # on a file system without locks
                alone.enter_context(FileLock(path.with_name(f".{path.name}.lock")))
            earlier = _earlier(path)
            if earlier is None:
                aside = path.with_name(f"{path.name}.damaged")
                path.replace(aside)
                say(f"{path}: holds no evaluations; it is kept as {aside.name}")
            others = [each for each in earlier or [] if any(each.get(key) != result[key] for key in same)]
            content = to_json({"evaluations": [*others, result]}, indent=2, inf_nan_mode="null")
            write_whole(path, content + b"\n")
    except OSError as error:
        raise WriteError.of(path, error.errno) from error


def _earlier(path: Path) -> list[dict[str, Any]] | None:
    """Return the results in a file, none where there is no file, None if it holds anything else."""
    if not path.exists():
        return []
    try:
        found = from_json(read_bytes(path, LONGEST_FILE))["evaluations"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, list) and all(isinstance(each, dict) for each in found) else None


def _show(result: Mapping[str, Any]) -> None:
    features, reference = result["features"], result["reference"]
    accuracy = features["accuracy"]
    told = "" if accuracy is None else f", which tells {accuracy:.1%} of held-out images right"
    say(
        f"step {result['step']:,}: {result['asked']['num']:,} samples a seed against {reference['count']:,} of "
        f"{reference['data']}, by {features['name']}{told}"
    )
    if (baseline := result["floor"]) is not None:
        say(f"real vs real: {baseline['count']:,} of these against the other {baseline['reference']:,}")
    columns = ("metric", "number", "value", "± 95 %", "real vs real")
    table = Table(*columns)
    for row in _rows(result["numbers"]):
        table.add_row(*row)
    console = Console(file=sys.stdout)
    console.print(table)
    if (parts := result.get("per_class")) is not None:
        table = Table("class", *columns)
        for name, part in parts.items():
            for row in _rows(part["numbers"]):
                table.add_row(Text(one_line(name)), *row)
        console.print(table)


def _rows(found: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield what a table shows of each number."""
    for key, numbers in found.items():
        for name, number in numbers.items():
            width, lowest = number["half_width"], number["floor"]
            told = ["" if width is None else f"{width:.2g}", "" if lowest is None else f"{lowest:.4g}"]
            yield [key, name, f"{number['mean']:.4g}", *told]
