"""ganctl directions: what a generator has learned to change, as a picture and as numbers."""

import io
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.words.classes import Classes, labels_in_turn, words_of_classes
from ganctl.commands.words.output import file_named, stem_of, writing
from ganctl.commands.words.seeds import MOST, Seeds, words_of_seeds
from ganctl.errors import ConfigError, counted
from ganctl.images.png import captioned, encoded, grid, legible
from ganctl.runs.generator import GeneratorCommand, TrainedGenerator, open_generator
from ganctl.runtime.console import say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.samples import IMAGES
from ganctl.uses.principal import Directions, Method, directions_of, moving
from ganctl.validation import validate


class DirectionsCommand(GeneratorCommand):
    """Everything that `ganctl directions` is told."""

    method: Method
    num: Annotated[int, Field(ge=1, le=100)]
    strength: Annotated[float, Field(gt=0)]
    columns: Annotated[int, Field(ge=2, le=100)]
    seeds: Seeds
    classes: Classes = Field(alias="class")
    truncation: Annotated[float, Field(gt=0)] | None
    batch_size: Annotated[int, Field(ge=1)]


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Find the directions of a generator, draw samples that are moved along the first ones, and write all.

    Raises `CheckpointError` if there is no intact checkpoint, `ConfigError` for what does not go together and for
    a place that cannot be written.
    """
    command = validate(DirectionsCommand, values)
    file = file_named(command.out, {"png", "npz"})
    keep_freed_memory()
    trained = open_generator(command)
    kind = trained.space.kind
    if kind is not IMAGES and file is not None and file.suffix.lower() == ".png":
        raise ConfigError(
            f"out: {file} would be a picture of images, but this model draws {kind.noun}s; take .npz"
        )
    labels = labels_in_turn(command.classes, trained.space.classes, command.seeds)
    if (count := len(command.seeds) * command.num * command.columns) > MOST:
        raise ConfigError(f"seeds: {count:,} samples would be in one picture; the most is {MOST:,}")
    found = directions_of(trained, command.method)
    for path in _paths(command, trained, file, pictures=kind is IMAGES):
        png = path.suffix.lower() == ".png"
        content = encoded(_drawing(command, trained, found, labels)) if png else _numbers(trained, found)
        with writing(path):
            write_whole(path, content)
        told = f"the first {min(command.num, len(found.vectors)):,}" if png else "the numbers"
        of = f"{counted(len(found.vectors), 'direction')} of step {trained.checkpoint.header.step:,}"
        say(f"{told} of {of}: {path}")


def _paths(
    command: DirectionsCommand, trained: TrainedGenerator, file: Path | None, *, pictures: bool
) -> list[Path]:
    """Return the files that are written: the one that is named, or a picture of images and the numbers."""
    if file is not None:
        return [file]
    folder = trained.folder("directions") if command.out is None else Path(command.out)
    stem = stem_of(trained.checkpoint.path, command.method, ema=command.ema)
    picture = [folder / f"{stem}-{_title(command)}.png"] if pictures else []
    return [*picture, folder / f"{stem}.npz"]


def _title(command: DirectionsCommand) -> str:
    """Return words for the name of a picture that tell apart what was asked for."""
    seeds, asked = command.seeds, command.classes
    words = [f"seed-{seeds[0]}" if len(seeds) == 1 else words_of_seeds(seeds)]
    words.append(f"{command.num}x{command.columns}-by-{command.strength:g}")
    if asked is not None:
        words.append(words_of_classes(asked))
    if command.truncation is not None:
        words.append(f"truncation-{command.truncation:g}")
    if command.standing:
        words.append(f"standing-{command.standing}")
    return "-".join(words)


def _drawing(
    command: DirectionsCommand, trained: TrainedGenerator, found: Directions, labels: Tensor | None
) -> np.ndarray:
    """Return a picture with a row for each direction, uint8 [height, width, 1 or 3], of all seeds in blocks."""
    bound = trained.truncate(command.truncation)
    if command.standing:
        trained.measure_norms(command.standing, bound)
    vectors, latents = found.vectors[: command.num], trained.latents_of_seeds(command.seeds, bound)
    each = len(vectors) * command.columns
    strengths = torch.linspace(-command.strength, command.strength, command.columns)
    shifts = (vectors[:, None] * strengths[:, None]).flatten(0, 1).repeat(len(latents), 1)
    every = None if labels is None else labels.repeat_interleave(each)
    moved = torch.cat([latents.repeat_interleave(each, 0), shifts], 1)
    rows = moving(trained).rows(moved, every, command.batch_size)
    sheet = grid(legible(rows.numpy()), command.columns)
    blocks = [""] if len(command.seeds) == 1 else [f"seed {seed}: " for seed in command.seeds]
    gains = found.gains[: command.num].tolist()
    captions = [f"{block}{number} ({gain:.2f})" for block in blocks for number, gain in enumerate(gains, 1)]
    return captioned(sheet, captions, [f"{strength:+.2g}" if strength else "0" for strength in strengths.tolist()])


def _numbers(trained: TrainedGenerator, found: Directions) -> bytes:
    """Return a .npz file: `directions` [count, width], their `gains` [count], and `of`, latents or styles."""
    content, of = io.BytesIO(), "styles" if trained.config.model.has_styles else "latents"
    np.savez(content, directions=found.vectors.numpy(), gains=found.gains.numpy(), of=np.array(of))
    return content.getvalue()
