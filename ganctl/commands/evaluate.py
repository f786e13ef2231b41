"""ganctl evaluate: numbers that say how a generator's samples compare with the data it was trained on."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, SerializeAsAny, create_model

from ganctl import __version__
from ganctl.commands.sample import open_generator
from ganctl.config import Count, DeviceConfig, Which
from ganctl.errors import CheckpointError, DataError, WriteError
from ganctl.metrics import (
    EXTRACTORS,
    METRICS,
    Extractor,
    FeatureExtractor,
    Metric,
    Numbers,
    Surroundings,
    check,
    collect,
    compare,
    floor,
    interval,
    needed,
    of_store,
)
from ganctl.registry import Spec
from ganctl.runtime.console import say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.training.checkpoint import Checkpoint
from ganctl.training.foreign import check_regular
from ganctl.training.generate import at_once, drawn
from ganctl.validation import validate

LONGEST_FILE = 64 << 20
"""Bytes of evaluation.json; an evaluation of ten metrics has about 10,000."""


class EvaluateCommand(Spec):
    """Everything that `ganctl evaluate` is told."""

    ckpt: str
    num: Annotated[int, Field(ge=2, le=1_000_000)]
    seeds: Annotated[list[Count], Field(min_length=1)]
    floor: bool
    ema: bool
    plugins: list[str]
    which: Which
    batch_size: Annotated[int, Field(ge=1)] | None
    cache: str
    out: str | None
    device: DeviceConfig
    metric: Annotated[dict[str, SerializeAsAny[Metric]], Field(min_length=1)]
    features: SerializeAsAny[FeatureExtractor]


def evaluate_command(values: Mapping[str, Any]) -> EvaluateCommand:
    """Validate a composed config of `ganctl evaluate`.

    Raises `ConfigError` that names the first wrong key.
    """
    chosen: Any = dict.__class_getitem__((str, METRICS.union()))
    families: dict[str, Any] = {
        "metric": (Annotated[chosen, Field(min_length=1)], ...),
        "features": (EXTRACTORS.union(), ...),
    }
    return validate(create_model("EvaluateCommand", __base__=EvaluateCommand, **families), values)


def evaluate(command: EvaluateCommand) -> None:
    """Measure a run or a checkpoint file, print a table, and add the result to evaluation.json.

    Raises `CheckpointError` if there is no whole checkpoint, `DataError` if its data is not there, `ConfigError`
    for metrics that have no meaning here and for a file that cannot be written.
    """
    keep_freed_memory()
    checkpoint, config, device, network = open_generator(
        command.ckpt, command.device, average=command.ema, which=command.which
    )
    store = config.data.load()
    if store.fingerprint != checkpoint.header.data:
        raise DataError("data: not the samples that this generator was trained on; restore them to compare with")
    real = of_store(store, config.data)
    extractor = command.features.open(Surroundings(config.data, store, device.torch_device, command.cache))
    started = time.perf_counter()
    generated = {
        seed: drawn(
            network, config.model, store.shape, device, command.num, seed, command.batch_size or at_once(config)
        )
        for seed in command.seeds
    }
    check(command.metric, extractor, real, generated[command.seeds[0]])
    needs = needed(command.metric)
    known = collect(real, extractor, needs, command.cache)
    found = {
        seed: compare(command.metric, known, collect(samples, extractor, needs), seed)
        for seed, samples in generated.items()
    }
    beneath: Numbers = {}
    if command.floor:
        beneath, _ = floor(
            command.metric, extractor, store, config.data, command.num, command.seeds[0], command.cache
        )
    result = _result(command, checkpoint, extractor, real.count, found, beneath)
    result["precision"] = device.precision
    result["seconds"] = round(time.perf_counter() - started, 1)
    path = _write(command, checkpoint.path, result)
    _show(result)
    say(f"written to {path}")


def _result(
    command: EvaluateCommand,
    checkpoint: Checkpoint,
    extractor: Extractor,
    references: int,
    found: Mapping[int, Numbers],
    beneath: Numbers,
) -> dict[str, Any]:
    """Return what was measured, and what it was compared with, as plain data."""
    asked = command.model_dump(mode="json", include={"num", "seeds", "ema", "metric", "features"})
    header = checkpoint.header
    return {
        "checkpoint": checkpoint.path.name,
        "step": header.step,
        "asked": asked,
        "features": extractor.about(),
        "reference": {
            "data": header.config["data"]["name"],
            "split": header.config["data"].get("split", "all"),
            "fingerprint": header.data,
            "count": references,
        },
        "versions": {"ganctl": __version__, "torch": torch.__version__},
        "numbers": {
            key: {
                name: _number([found[seed][key][name] for seed in command.seeds], beneath.get(key, {}).get(name))
                for name in found[command.seeds[0]][key]
            }
            for key in command.metric
        },
    }


def _number(values: list[float], beneath: float | None) -> dict[str, Any]:
    over = interval(values)
    return {"mean": over.mean, "half_width": over.half_width, "values": values, "floor": beneath}


def _write(command: EvaluateCommand, checkpoint: Path, result: dict[str, Any]) -> Path:
    """Add a result to the file, in place of an earlier one of the same question.

    A file that holds no results is kept under another name, which is said.
    """
    inside = checkpoint.parent.name == "checkpoints"
    folder = checkpoint.parent.parent if inside else checkpoint.parent
    path = folder / "evaluation.json" if command.out is None else Path(command.out)
    same = ("checkpoint", "step", "asked")
    try:
        others = [each for each in _earlier(path) if any(each.get(key) != result[key] for key in same)]
        write_whole(path, (json.dumps({"evaluations": [*others, result]}, indent=2) + "\n").encode())
    except OSError as error:
        raise WriteError.of(path, error.errno) from error
    return path


def _earlier(path: Path) -> list[dict[str, Any]]:
    if not path.exists() or path.is_dir():
        return []
    try:
        if check_regular(path) > LONGEST_FILE:
            raise ValueError("too long")
        found = json.loads(path.read_text())["evaluations"]
        if isinstance(found, list) and all(isinstance(each, dict) for each in found):
            return found
    except (ValueError, KeyError, TypeError, RecursionError, CheckpointError):
        pass
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    say(f"{path}: holds no evaluations; it is kept as {aside.name}")
    return []


def _show(result: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    features, reference = result["features"], result["reference"]
    accuracy = features["accuracy"]
    told = "" if accuracy is None else f", which tells {accuracy:.1%} of held-out pictures right"
    say(
        f"step {result['step']:,}: {result['asked']['num']:,} samples a seed against {reference['count']:,} of "
        f"{reference['data']}, by {features['name']}{told}"
    )
    table = Table("metric", "number", "value", "± 95 %", "real vs real")
    for key, numbers in result["numbers"].items():
        for name, number in numbers.items():
            width, beneath = number["half_width"], number["floor"]
            table.add_row(
                key,
                name,
                f"{number['mean']:.4g}",
                "" if width is None else f"{width:.2g}",
                "" if beneath is None else f"{beneath:.4g}",
            )
    Console(file=sys.stdout).print(table)
