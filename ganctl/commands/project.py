"""ganctl project: latents of given images."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.words.classes import label_of
from ganctl.commands.words.output import file_named, stem_of, told_apart, word, writing
from ganctl.commands.words.seeds import Seeds, words_of_seeds
from ganctl.data.given_images import GivenImages, given_images
from ganctl.errors import ConfigError, counted
from ganctl.images.png import compared, encoded
from ganctl.runs.generator import GeneratorCommand, TrainedGenerator, open_generator
from ganctl.runtime.console import say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.uses.inversion import Candidates, Search, in_parts, inverted
from ganctl.uses.likeness import Share, drawn_images, likeness, maker, samples_of
from ganctl.validation import validate

MOST = 1_000
"""Images at once."""


class ProjectCommand(GeneratorCommand):
    """Everything that `ganctl project` is told."""

    image: str | None
    seeds: Seeds | None
    num: Annotated[int, Field(ge=1, le=MOST)]
    class_: str | None = Field(alias="class")
    steps: Annotated[int, Field(ge=1, le=100_000)]
    lr: Annotated[float, Field(gt=0)]
    candidates: Annotated[int, Field(ge=1, le=100_000)]
    starts: Annotated[int, Field(ge=1, le=1_000)]
    features: Share
    weights: str | None
    seed: Annotated[int, Field(ge=0)]
    batch_size: Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Projection:
    """What was found for each image: latents [n, width], labels, int64 [n] or None, and rows as stored."""

    latents: Tensor
    labels: Tensor | None
    rows: Tensor


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Write the latents whose images are most like the given ones, and a picture of these images side by side.

    Raises `ConfigError` for what does not go together, `DataError` for images that cannot be read.
    """
    command = validate(ProjectCommand, values)
    file = file_named(command.out, {"png"})
    if (command.image is None) == (command.seeds is None):
        raise ConfigError("image: give an image file or a folder, or seeds whose images are to be found again")
    if command.seeds is not None and len(command.seeds) > MOST:
        raise ConfigError(f"seeds: {len(command.seeds):,} images; the most is {MOST:,}")
    keep_freed_memory()
    trained = open_generator(command)
    trained.space.require_images("project: compares images", "take another run")
    if command.standing:
        trained.measure_norms(command.standing)
    with trained.device.full_precision():
        known = None if command.seeds is None else trained.latents_of_seeds(command.seeds)
        given = _given(command, trained, known)
        found = _found(command, trained, given.rows)
    _write(command, file or _place(command, trained, values.typed), trained, given, found)
    for line in _told(trained, given, found, known):
        say(line)


def _given(command: ProjectCommand, trained: TrainedGenerator, known: Tensor | None) -> GivenImages:
    if command.image is not None:
        return given_images(command.image, trained.space, trained.config.data, "image", command.num)
    assert known is not None
    assert command.seeds is not None
    classes = len(trained.space.classes)
    labels = _label(command, trained, len(known)) if command.class_ is not None else None
    if labels is None and classes:
        labels = torch.tensor(command.seeds) % classes
    return GivenImages(trained.rows(known, labels, command.batch_size), [f"seed {seed}" for seed in command.seeds])


def _label(command: ProjectCommand, trained: TrainedGenerator, count: int) -> Tensor | None:
    """Return the label that was asked for, or those of candidates: every class in turn; None without classes."""
    classes = trained.space.classes
    if command.class_ is not None:
        return torch.full((count,), label_of(command.class_, classes))
    return torch.arange(count) % len(classes) if classes else None


def _found(command: ProjectCommand, trained: TrainedGenerator, rows: Tensor) -> Projection:
    """Return the best ends of the searches from the nearest candidates of each image."""
    device, size = trained.device, command.batch_size
    drawn = trained.draw_latents(command.candidates, command.seed, stream="candidates")
    drawn = drawn.to(device.torch_device, device.dtype)
    labels = _label(command, trained, len(drawn))
    candidates = Candidates(drawn, None if labels is None else labels.to(device.torch_device))
    images = drawn_images(trained, candidates, size)
    parts = likeness(trained, images, command.features, command.weights, size)

    def describe(samples: Tensor) -> Tensor:
        return torch.cat([part(samples) for part in parts], 1)

    wanted, described = (in_parts(describe, each, size) for each in (samples_of(trained, rows), images))
    search = Search(command.starts, command.steps, command.lr)
    best = inverted(maker(trained), describe, wanted, candidates, described, trained.latents, search, size)
    latents, labels = best.latents.float().cpu(), None if best.labels is None else best.labels.cpu()
    return Projection(latents, labels, trained.rows(latents, labels, size))


def _place(command: ProjectCommand, trained: TrainedGenerator, typed: Mapping[str, str]) -> Path:
    """Return where the picture goes by default, by a name that tells apart what was asked for."""
    asked = f"image-{word(Path(command.image).stem)}" if command.image else words_of_seeds(command.seeds or [])
    standing = [f"standing-{command.standing}"] if command.standing else []
    folder = trained.folder("projections") if command.out is None else Path(command.out)
    words = "-".join([asked, *standing, *told_apart(typed, "seeds")])
    return folder / f"{stem_of(trained.checkpoint.path, words, ema=command.ema)}.png"


def _write(
    command: ProjectCommand, path: Path, trained: TrainedGenerator, given: GivenImages, found: Projection
) -> None:
    """Write a picture of the given images over the found ones, and the latents."""
    sheet = compared(given.rows.numpy(), found.rows.numpy(), ["given", "found", "difference"])
    content = io.BytesIO()
    latents = path.with_suffix(".npy" if found.labels is None else ".npz")
    if found.labels is None:
        np.save(content, found.latents.numpy())
    else:
        np.savez(content, latents=found.latents.numpy(), labels=found.labels.numpy())
    with writing(path):
        write_whole(latents, content.getvalue())
        write_whole(path, encoded(sheet))
    say(f"{counted(len(given.rows), 'image')} of step {trained.checkpoint.header.step:,}: {path}")
    say(f"latents: {latents}")


def _told(trained: TrainedGenerator, given: GivenImages, found: Projection, known: Tensor | None) -> list[str]:
    """Return a line for each image: how far the found one is, and, where known, how far the latents are."""
    squares = (given.rows.float() - found.rows.float()).square()
    away = squares.flatten(1).mean(1).sqrt().tolist()
    lines = []
    for number, (name, levels) in enumerate(zip(given.names, away, strict=True)):
        line = f"{name}: {levels:.1f} of 255 grey levels away (root mean square)"
        if found.labels is not None:
            line += f", class {trained.space.classes[int(found.labels[number])]}"
        if known is not None:
            line += f", latents {float((known[number] - found.latents[number]).square().mean().sqrt()):.3f} away"
        lines.append(line)
    return lines
