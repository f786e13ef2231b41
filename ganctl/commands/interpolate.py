"""ganctl interpolate: paths through the latents of a trained generator, or how it learned."""

import io
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.words.classes import ALL, Classes, caption, labels_of, words_of_classes
from ganctl.commands.words.output import file_named, word, writing
from ganctl.commands.words.seeds import MOST, Seeds, words_of_seeds
from ganctl.errors import CheckpointError, ConfigError, counted
from ganctl.images.animation import ENCODERS, animated, require_encoder
from ganctl.images.film import Film
from ganctl.images.png import encoded
from ganctl.models import StyledGenerator
from ganctl.runs.generator import (
    NONE_INTACT,
    GeneratorCommand,
    TrainedGenerator,
    checkpoints_of,
    open_each,
    open_generator,
)
from ganctl.runtime.console import say, track
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.samples import IMAGES
from ganctl.uses.paths import frames_of, walk
from ganctl.validation import validate

ENDINGS = frozenset({"png", "npy", *ENCODERS})
"""Of files that frames can be written to: one image, the numbers themselves, or an animation."""

KEYS, SHOWN = [0, 1, 2], list(range(16))
"""Seeds where none are given: the keys of a path, and the samples of each checkpoint."""

FEW_STEPS, STEPS = 6, 24
"""Frames between two keys in a .png, and otherwise."""

FPS, FPS_OF_CHECKPOINTS = 20.0, 4.0

CLASSES = 10
"""Classes that have a row where none is asked for, the first so many."""


class InterpolateCommand(GeneratorCommand):
    """Everything that `ganctl interpolate` is told."""

    seeds: Seeds | None
    latents: str | None
    path: Literal["linear", "spherical"] | None
    space: Literal["z", "w"]
    steps: Annotated[int, Field(ge=0, le=1000)] | None
    loop: bool
    checkpoints: bool
    classes: Classes = Field(alias="class")
    truncation: Annotated[float, Field(gt=0)] | None
    fps: Annotated[float, Field(ge=0.1, le=60)] | None
    scale: Annotated[int, Field(ge=1, le=64)] | None
    batch_size: Annotated[int, Field(ge=1)]


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Compute the frames of a path, or of a run's checkpoints, and write them.

    Raises `CheckpointError` if there is no intact checkpoint, `ConfigError` for what does not go together, for
    what the model cannot do and for a place that cannot be written.
    """
    command = validate(InterpolateCommand, values)
    file = file_named(command.out, ENDINGS)
    _check(command, file)
    keep_freed_memory()
    if command.checkpoints:
        film, trained = _of_checkpoints(command, file)
    else:
        trained = open_generator(command)
        bound = _prepare(command, file, trained)
        still = trained.space.kind is IMAGES and (file is None or _ending(file) == "png")
        usual = FEW_STEPS if still else STEPS
        film = film_of(command, trained, bound, usual if command.steps is None else command.steps)
    checkpoint, frames = trained.checkpoint, len(film.samples)
    path = file
    if path is None:
        folder = trained.folder("interpolations") if command.out is None else Path(command.out)
        ending = "png" if trained.space.kind is IMAGES else "npy"
        path = folder / f"{checkpoint.path.stem}-{_title(command, frames)}.{ending}"
    content = _content(film, command, _ending(path))
    with writing(path):
        write_whole(path, content)
    noun, of = ("checkpoint", "until") if command.checkpoints else ("frame", "of")
    say(f"{counted(frames, noun)} {of} step {checkpoint.header.step:,}: {path}")


def _ending(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")


def _check(command: InterpolateCommand, file: Path | None) -> None:
    """Raise `ConfigError` for keys that contradict each other, and for an animation that cannot be written."""
    if command.latents is not None and command.seeds is not None:
        raise ConfigError("seeds: says nothing where latents are given; leave one out")
    if command.checkpoints:
        usual = {"which": "newest", "path": None, "space": "z", "steps": None, "loop": False}
        for key, value in usual.items():
            if getattr(command, key) != value:
                raise ConfigError(f"{key}: says nothing of all checkpoints; leave it out, or checkpoints=false")
    elif command.seeds is not None and len(command.seeds) < 2:
        raise ConfigError("seeds: a path needs two or more, such as seeds=1,2")
    if command.space == "w" and command.path == "spherical":
        raise ConfigError("path: styles are no directions, between which w goes linearly; leave it null")
    ending = "png" if file is None else _ending(file)
    if command.fps is not None and ending not in ENCODERS:
        raise ConfigError("fps: counts in an animation; name one, such as out=path.gif, or leave it null")
    require_encoder(ending)


def _prepare(command: InterpolateCommand, file: Path | None, trained: TrainedGenerator) -> float | None:
    """Make a generator ready to draw, and return the bound of its latents; raise `ConfigError` if it cannot."""
    if file is not None and _ending(file) != "npy" and (kind := trained.space.kind) is not IMAGES:
        raise ConfigError(f"out: {file} shows images, but this model draws {kind.noun}s; take out=path.npy")
    if command.space == "w" and not isinstance(trained.network, StyledGenerator):
        raise ConfigError("space: the model of this run has no styles; leave it z, or train model=stylegan2")
    bound = trained.truncate(command.truncation)
    if command.latents is not None and bound is not None:
        raise ConfigError("truncation: says nothing where latents are given; leave one out")
    if command.standing:
        trained.measure_norms(command.standing, bound)
    return bound


def film_of(command: InterpolateCommand, trained: TrainedGenerator, bound: float | None, steps: int) -> Film:
    """Return the frames of a path, each with a sample of each class that is asked for.

    Latents lie within a bound; so many frames lie between two keys.
    """
    keys = _latents(command, trained, bound, KEYS)
    if len(keys) < 2:
        raise ConfigError(f"latents: {command.latents} holds one; a path needs two or more")
    asked, names = command.classes, trained.space.classes
    labels = list(range(len(names)))[:CLASSES] if asked is None else labels_of(asked, names)
    each = max(1, len(labels))
    _refuse_more("steps", each * frames_of(len(keys), steps, command.loop))
    space = trained.latents
    spherical = command.path == "spherical" or (command.path is None and space.prior != "uniform")
    turned = space.dimensions if spherical and command.space == "z" else 0

    def along(label: int | None) -> Tensor:
        """Return the latents or styles of a path of one class, [frames, …]."""
        if command.space == "z":
            return walk(keys, steps, loop=command.loop, turned=turned)
        same = None if label is None else torch.full((len(keys),), label)
        return walk(trained.styles(keys, same, command.batch_size), steps, loop=command.loop)

    lines: list[int | None] = [*labels] or [None]
    inputs = torch.stack([along(label) for label in lines], 1)
    every = torch.tensor(labels).repeat(len(inputs)) if labels else None
    samples = _samples(inputs.flatten(0, 1), every, command, trained)
    rows = [] if isinstance(asked, str) and asked != ALL else [caption(names[label], label) for label in labels]
    return Film(samples.unflatten(0, (-1, each)).numpy(), rows=rows)


def _samples(
    inputs: Tensor, labels: Tensor | None, command: InterpolateCommand, trained: TrainedGenerator
) -> Tensor:
    """Return the samples of latents or styles [count, …], as a store has them."""
    starts = range(0, len(inputs), command.batch_size)
    parts = []
    for start in track(starts, len(starts), "batches"):
        part = slice(start, start + command.batch_size)
        if command.space == "w":
            parts.append(trained.rows_of_styles(inputs[part], command.batch_size))
        else:
            some = None if labels is None else labels[part]
            parts.append(trained.rows(inputs[part], some, command.batch_size))
    return torch.cat(parts)


def _of_checkpoints(command: InterpolateCommand, file: Path | None) -> tuple[Film, TrainedGenerator]:
    """Return the samples of the same latents by each checkpoint of a run, and the newest generator.

    Several classes have a row each.
    """
    found = checkpoints_of(command)
    frames, titles, columns, trained = [], [], None, None
    for trained in track(open_each(found, command), len(found), "checkpoints"):
        bound = _prepare(command, file, trained)
        latents = _latents(command, trained, bound, SHOWN)
        asked, classes = command.classes, len(trained.space.classes)
        chosen = [] if asked is None else labels_of(asked, trained.space.classes)
        _refuse_more("seeds", len(found) * max(1, len(chosen)) * len(latents))
        labels = None
        if chosen:
            labels = torch.tensor(chosen).repeat_interleave(len(latents))
            columns = len(latents) if len(chosen) > 1 else None
            latents = latents.repeat(len(chosen), 1)
        elif classes:
            labels = torch.tensor(command.seeds or range(len(latents))) % classes
        frames.append(trained.rows(latents, labels, command.batch_size))
        titles.append(f"step {trained.checkpoint.header.step:,}")
    if trained is None:
        raise CheckpointError(f"{command.ckpt}: {NONE_INTACT}")
    return Film(torch.stack(frames).numpy(), columns, titles=titles), trained


def _latents(
    command: InterpolateCommand, trained: TrainedGenerator, bound: float | None, seeds: list[int]
) -> Tensor:
    """Return the latents [count, width] that are asked for, or those of `seeds`."""
    if command.latents is not None:
        return trained.latents_in(command.latents)[0]
    return trained.latents_of_seeds(command.seeds or seeds, bound)


def _refuse_more(key: str, count: int) -> None:
    if count > MOST:
        raise ConfigError(f"{key}: would draw {count:,} samples; the most is {MOST:,}")


def _content(film: Film, command: InterpolateCommand, ending: str) -> bytes:
    """Return a file of frames: their numbers, all in one image, or an animation."""
    if ending == "png":
        return encoded(film.strip(command.scale))
    if ending in ENCODERS:
        usual = FPS_OF_CHECKPOINTS if command.checkpoints else FPS
        return animated(film.frames(command.scale), command.fps or usual, ending)
    content = io.BytesIO()
    np.save(content, film.samples)
    return content.getvalue()


def _title(command: InterpolateCommand, frames: int) -> str:
    """Return words for file names that tell apart what was asked for."""
    seeds = command.seeds or (SHOWN if command.checkpoints else KEYS)
    words = [f"checkpoints-{frames}"] if command.checkpoints else []
    words += [words_of_seeds(seeds) if command.latents is None else f"latents-{word(Path(command.latents).stem)}"]
    words += [] if command.checkpoints else [f"frames-{frames}"]
    words += [command.path] if command.path else []
    words += ["w"] if command.space == "w" else []
    words += ["loop"] if command.loop else []
    words += [] if command.classes is None else [words_of_classes(command.classes)]
    words += [] if command.truncation is None else [f"truncation-{command.truncation:g}"]
    words += [f"standing-{command.standing}"] if command.standing else []
    words += [f"scale-{command.scale}"] if command.scale else []
    return "-".join([*words, *([] if command.ema else ["raw"])])
