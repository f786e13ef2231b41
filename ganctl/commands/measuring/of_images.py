"""Images that are there, of any tool, compared with real ones."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.measuring.places import asked_of, described, load, require_alike, samples_values, source_of
from ganctl.commands.measuring.question import ImagesCommand
from ganctl.commands.measuring.results import Result, floor_of, numbers_of
from ganctl.data.store import Store
from ganctl.errors import DataError, counted
from ganctl.game.build import open_configured
from ganctl.metrics import Comparison, Reference, of_store
from ganctl.runs.evaluation import SEED, Side
from ganctl.runtime.console import say
from ganctl.runtime.version import __version__

FEWEST = 2
"""Samples that each side has at least."""


def results(command: ImagesCommand, values: Typed, job: Job) -> Iterator[Result]:
    """Return the one result of a comparison, which is measured where it is taken.

    Raises `DataError` for images that cannot be had or have no common shape, `ConfigError` for wrong keys;
    the result raises it for metrics that have no meaning here.
    """
    ours = _side(command, values, "samples", samples_values(values, job))
    real = _side(command, values, "reference", command.data)
    require_alike(ours, real)
    if ours.store.fingerprint == real.store.fingerprint:
        say("note    samples and reference hold the same images")
    return _measured(command, ours._replace(store=_with_classes_of(real.store, ours.store)), real)


def _side(command: ImagesCommand, values: Typed, key: str, data: Mapping[str, Any]) -> Side:
    source = source_of(data, values.typed, key, command.resolution, command.channels)
    store = load(source, key)
    if len(store) < FEWEST:
        has = counted(len(store), store.space.kind.noun)
        raise DataError(f"{key}: {source.own or source.name} holds {has}; a comparison takes {FEWEST} or more")
    return Side(source, store)


def _with_classes_of(reference: Store, samples: Store) -> Store:
    """Return samples whose labels count the reference's classes; without labels where it has others."""
    if samples.labels is None or samples.classes == reference.classes:
        return samples
    numbers = {name: number for number, name in enumerate(reference.classes)}
    foreign = [name for name in samples.classes if name not in numbers]
    if foreign:
        if reference.classes:
            say(f"samples: are compared without classes; the reference has no '{foreign[0]}'")
        return replace(samples, labels=None, classes=())
    places = torch.tensor([numbers[name] for name in samples.classes])
    return replace(samples, labels=places[samples.labels], classes=reference.classes)


def _measured(command: ImagesCommand, ours: Side, real: Side) -> Iterator[Result]:
    device = open_configured(command.device, real.store.space.kind)
    extractor = command.features.open(Reference(*real, device.torch_device, command.cache))
    generated = of_store(ours.store, ours.source, command.num)
    comparison = Comparison(command.metric, extractor, of_store(real.store, real.source), command.cache)
    comparison.check(generated)
    _tell_count(command, len(ours.store))
    started = time.perf_counter()
    found = comparison.numbers(generated, SEED)
    baseline = comparison.baseline(generated.count, SEED) if command.floor else None
    for line in baseline.left_out if baseline is not None else ():
        say(f"not real vs real: {line}")
    yield {
        "samples": described(ours) | {"measured": generated.count},
        "asked": command.asked() | {"samples": asked_of(ours.source), "reference": asked_of(real.source)},
        "features": extractor.about(),
        "reference": described(real),
        "floor": floor_of(baseline),
        "versions": {"ganctl": __version__, "torch": torch.__version__},
        "numbers": numbers_of([found], baseline),
        "seconds": round(time.perf_counter() - started, 1),
    }


def _tell_count(command: ImagesCommand, there: int) -> None:
    if command.num is not None and command.num > there:
        say(f"samples: all {there:,} are compared, as there are no num={command.num:,}")
    elif command.num is not None and command.num < there:
        say(f"samples: {command.num:,} of {there:,} are compared, drawn by chance")
