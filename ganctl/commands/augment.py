"""ganctl augment: generated images with their classes, as a data set to train on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.words.classes import ALL, Classes, labels_of, words_of_classes
from ganctl.commands.words.output import file_named, stem_of, told_apart, word, writing
from ganctl.commands.words.real_data import data_of
from ganctl.data.store import Store
from ganctl.errors import ConfigError, counted
from ganctl.images.labelled import Labelled, write_set
from ganctl.runs.generator import GeneratorCommand, TrainedGenerator, open_generator
from ganctl.runtime.console import say, shell_word, track
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.validation import validate

EACH = 100
"""Images of each class where nothing says how many."""

MOST = 1_000_000
"""Images that are generated at once, of all classes together."""

READ_AT_ONCE = 64


class AugmentCommand(GeneratorCommand):
    """Everything that `ganctl augment` is told."""

    num: Annotated[int, Field(ge=1, le=MOST)] | None
    fill: bool
    real: bool
    classes: Classes = Field(alias="class")
    seed: Annotated[int, Field(ge=0)]
    truncation: Annotated[float, Field(gt=0)] | None
    batch_size: Annotated[int, Field(ge=1)]
    data: dict[str, Any]


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Write generated images, and on request the real ones, into a folder for each class.

    Raises `CheckpointError` if there is no intact checkpoint, `ConfigError` for a model without classes, for what
    does not go together and for a place that is taken or cannot be written, `DataError` if the data is not there.
    """
    command = validate(AugmentCommand, values)
    file = file_named(command.out, {"zip"})
    keep_freed_memory()
    trained = open_generator(command)
    trained.space.require_images("augment: writes images", "take `ganctl sample out=points.npy`")
    chosen = labels_of(ALL if command.classes is None else command.classes, trained.space.classes)
    store = data_of(trained, command.data, values.typed)[1] if command.fill or command.real else None
    counts = _counts(command, chosen, store)
    path = file or _folder(command, trained, values)
    bound = trained.truncate(command.truncation)
    if command.standing:
        trained.measure_norms(command.standing, bound)
    labels = torch.tensor(chosen).repeat_interleave(torch.tensor(counts))
    latents = trained.draw_latents(len(labels), command.seed, bound)
    real = _real_rows(store, chosen) if store is not None and command.real else torch.empty(0).long()
    with writing(path):
        _refuse_taken(path)
        write_set(path, _images(command, trained, latents, labels, store, real))
    told = counted(len(labels), "generated image") + (f" and {len(real):,} real ones" if len(real) else "")
    say(f"{told} of {counted(len(chosen), 'class')}: {path}")
    say(f"train on them: ganctl train data=folder data.path={shell_word(path)}")


def _counts(command: AugmentCommand, chosen: list[int], store: Store | None) -> list[int]:
    """Return how many images of each class are generated; raise `ConfigError` for none, and for too many."""
    if command.fill:
        assert store is not None
        assert store.labels is not None
        present = torch.bincount(store.labels, minlength=len(store.classes))
        wanted = command.num or int(present.max())
        counts = [max(0, wanted - int(present[label])) for label in chosen]
        if not any(counts):
            raise ConfigError(f"fill: each of these classes has {wanted:,} real images or more; take a larger num")
    else:
        counts = [command.num or EACH] * len(chosen)
    if sum(counts) > MOST:
        raise ConfigError(f"num: would generate {sum(counts):,} images of all classes; the most is {MOST:,}")
    return counts


def _folder(command: AugmentCommand, trained: TrainedGenerator, values: Typed) -> Path:
    """Return the folder to write where no file is named."""
    if command.out is not None:
        return Path(command.out)
    words = [f"seed-{command.seed}", *([] if command.classes is None else [words_of_classes(command.classes)])]
    words += [f"standing-{command.standing}"] if command.standing else []
    words += told_apart(values.typed, "seed", "class", "data")
    return trained.folder("augmented") / stem_of(trained.checkpoint.path, "-".join(words), ema=command.ema)


def _refuse_taken(path: Path) -> None:
    """Raise `ConfigError` for a place that holds anything."""
    if path.is_dir() and not any(path.iterdir()):
        return
    if path.exists() or path.is_symlink():
        raise ConfigError(f"out: {path} is there already; remove it, or name another place")


def _real_rows(store: Store, chosen: list[int]) -> Tensor:
    """Return the places of the real images of the classes, int64 [count]."""
    assert store.labels is not None
    return torch.isin(store.labels, torch.tensor(chosen)).nonzero().flatten()


def _images(
    command: AugmentCommand,
    trained: TrainedGenerator,
    latents: Tensor,
    labels: Tensor,
    store: Store | None,
    real: Tensor,
) -> Iterator[Labelled]:
    """Yield the real images in rows of a store, then those of latents [count, width] and labels, int64 [count]."""
    folders = [word(name) for name in trained.space.classes]
    if store is not None:
        assert store.labels is not None
        for rows in real.split(READ_AT_ONCE):
            for row, pixels in zip(rows.tolist(), store.samples[rows].numpy(), strict=True):
                yield f"{folders[int(store.labels[row])]}/real-{row:06d}.png", pixels
    batches = zip(latents.split(command.batch_size), labels.split(command.batch_size), strict=True)
    number = 0
    for some, asked in track(batches, -(-len(labels) // command.batch_size), "drawing images"):
        for label, pixels in zip(asked.tolist(), trained.rows(some, asked).numpy(), strict=True):
            yield f"{folders[label]}/fake-{number:06d}.png", pixels
            number += 1
