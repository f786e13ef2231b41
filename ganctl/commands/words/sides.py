"""The two sides of a comparison: a run's data, where it lies now, and generated samples of the same classes."""

from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from ganctl.commands.words.classes import Classes, labels_of, words_of_classes
from ganctl.commands.words.output import stem_of
from ganctl.commands.words.real_data import data_of
from ganctl.commands.words.seeds import MOST as MOST_SAMPLES
from ganctl.data.sources.array import Array
from ganctl.data.store import Store
from ganctl.errors import ConfigError, DataError, counted
from ganctl.metrics import Samples, of_store
from ganctl.runs.generator import GeneratorCommand, TrainedGenerator
from ganctl.samples import IMAGES, Scale

FEWEST = 8
"""Samples that each side of a comparison has at least."""


class ComparingCommand(GeneratorCommand):
    """What a command is told that shows generated samples beside real ones."""

    num: Annotated[int, Field(ge=FEWEST, le=MOST_SAMPLES)]
    seed: Annotated[int, Field(ge=0)]
    classes: Classes = Field(alias="class")
    batch_size: Annotated[int, Field(ge=1)]
    data: dict[str, Any]


def scale_of(trained: TrainedGenerator) -> Scale | None:
    """Return how the data of a generator came as an array, None for those of generated sets.

    A checkpoint of an earlier version does not tell; then the array is read again. Raises `DataError` if it is
    gone, `ConfigError` for images that came as pictures.
    """
    scale = trained.checkpoint.header.scale
    if scale is None and isinstance(trained.config.data, Array):
        try:
            scale = data_of(trained)[1].scale
        except DataError as error:
            raise DataError(
                f"numbers: {trained.checkpoint.path} is of an earlier version, which kept no range of its array, "
                f"and that cannot be read again ({error})"
            ) from error
    if scale is None and trained.space.kind is IMAGES:
        raise ConfigError(
            "numbers: the data of this run came as pictures, whose values are bytes, and not as an array; leave "
            "numbers=false"
        )
    return scale


def real_side(command: ComparingCommand, trained: TrainedGenerator, store: Store, most: int) -> Samples:
    """Return real samples of the classes that are asked for, `most` of them, which the seed chooses.

    Raises `ConfigError` for classes of a model that is not conditional, and for too few samples.
    """
    asked = None if command.classes is None else labels_of(command.classes, trained.space.classes)
    real = of_store(store, None, most, command.seed, asked)
    if real.count < FEWEST:
        key = "data" if asked is None else "class"
        raise ConfigError(f"{key}: has {counted(real.count, 'real sample')}; a comparison takes {FEWEST} or more")
    return real


def fake_side(command: ComparingCommand, trained: TrainedGenerator, real: Samples) -> tuple[Samples, Tensor]:
    """Return generated samples, drawn where they are read, and their latents, which `ganctl sample` draws as well.

    A conditional model is asked for the classes of the real samples, one after the other.
    """
    latents = trained.draw_latents(command.num, command.seed)
    labels = None
    if trained.space.classes:
        assert real.labels is not None
        labels = real.labels[torch.arange(command.num) % real.count]

    def read(start: int, stop: int) -> Tensor:
        chosen = None if labels is None else labels[start:stop]
        return trained.rows(latents[start:stop], chosen, command.batch_size)

    return Samples(command.num, trained.space, read, labels=labels, classes=trained.space.classes), latents


def place(
    command: ComparingCommand, trained: TrainedGenerator, file: Path | None, below: str, *parts: str
) -> Path:
    """Return the file to write: `file` if one is named, else a picture whose name tells what was asked.

    It lies in the folder that `out` names, or `below` the run's own; `parts` are further words of its name.
    """
    if file is not None:
        return file
    folder = trained.folder(below) if command.out is None else Path(command.out)
    words = [*parts, f"seed-{command.seed}-{command.num}"]
    words += [] if command.classes is None else [words_of_classes(command.classes)]
    words += [f"standing-{command.standing}"] if command.standing else []
    return folder / f"{stem_of(trained.checkpoint.path, '-'.join(words), ema=command.ema)}.png"
