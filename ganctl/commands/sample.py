"""ganctl sample: images or points from a checkpoint."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.words.classes import ALL, Classes, caption, labels_in_turn, labels_of, words_of_classes
from ganctl.commands.words.output import file_named, stem_of, word, writing
from ganctl.commands.words.seeds import MOST as MOST_SEEDS
from ganctl.commands.words.seeds import Seeds, refuse_two_counts, words_of_seeds
from ganctl.commands.words.sides import scale_of
from ganctl.commands.words.strengths import Strength
from ganctl.errors import ConfigError, counted
from ganctl.images.png import captioned, encoded, save
from ganctl.images.terminal import show
from ganctl.models.latents import LatentSpace
from ganctl.runs.drawing import swept
from ganctl.runs.generator import GeneratorCommand, TrainedGenerator, open_generator
from ganctl.runtime.console import say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.samples import IMAGES, POINTS, SampleSpace, Scale
from ganctl.uses.principal import Method, directions_of, moving
from ganctl.validation import validate

ENDINGS = frozenset({"png", "npy", "npz", "csv"})
"""Of files that samples can be written to: an image of them all, or the numbers themselves."""


FEW = 64
"""Samples that are drawn where neither `num` nor `seeds` says how many."""

FEW_IN_LINE = 8
"""Samples of each class, or rows of a sweep or of strengths, where neither says how many."""

VALUES = 10
"""Values of a continuous code that a sweep shows, from -1 to 1."""

STRENGTHS = 7
"""Columns of a range of strengths."""


class SampleCommand(GeneratorCommand):
    """Everything that `ganctl sample` is told."""

    num: Annotated[int, Field(ge=1, le=MOST_SEEDS)] | None
    seed: Annotated[int, Field(ge=0)] | None
    seeds: Seeds | None
    latents: str | None
    classes: Classes = Field(alias="class")
    truncation: Annotated[float, Field(gt=0)] | None
    sweep: bool
    direction: Annotated[int, Field(ge=1)] | None
    strength: Strength
    method: Method
    show: bool
    images: bool
    numbers: bool
    batch_size: Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Sheet:
    """What is drawn into one file: latents [count, width], and the label of each, int64 [count], or None.

    Images lie in so many columns, or as square as can be; `rows` are the labels of the rows, where they have any.
    `shifts` [count, …] are by how much latents or styles are moved.
    """

    latents: Tensor
    labels: Tensor | None
    columns: int | None = None
    rows: list[int] | None = None
    code: int | None = None
    shifts: Tensor | None = None


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Draw samples into one image, and on request also one image each, or write their numbers.

    Raises `CheckpointError` if there is no intact checkpoint, `ConfigError` for what does not go together and for
    a place that cannot be written.
    """
    command = validate(SampleCommand, values)
    file = file_named(command.out, ENDINGS)
    _check(command, file)
    if command.numbers and command.device.precision == "auto":
        exact = command.device.model_copy(update={"precision": "fp32"})
        command = command.model_copy(update={"device": exact})
    keep_freed_memory()
    trained = open_generator(command)
    _check_model(command, file, trained)
    direction = None
    if command.direction is not None:
        direction = directions_of(trained, command.method).numbered(command.direction)
    sheets = sheets_of(command, trained, direction)
    scale = scale_of(trained) if command.numbers else None
    for sheet in sheets:
        _draw(sheet, command, file, trained, scale)


def _draw(
    sheet: Sheet, command: SampleCommand, file: Path | None, trained: TrainedGenerator, scale: Scale | None
) -> None:
    """Draw the samples of a sheet, and write them; numbers in a scale, or as a store has them."""
    checkpoint, space = trained.checkpoint, trained.space
    samples = samples_of(sheet, trained, command.batch_size)
    rows = space.kind.store(samples, space.value_range)
    stem = stem_of(checkpoint.path, _title(command, len(rows)), ema=command.ema)
    folder = trained.folder("samples") if command.out is None else Path(command.out)
    path = file or folder / f"{stem}.png"
    if sheet.code is not None:
        path = path.with_name(f"{path.stem}-code-{sheet.code}{path.suffix}")
    with writing(path):
        if path.suffix.lower() == ".png":
            write_whole(path, encoded(drawing(rows, sheet, space)))
        else:
            values = rows if scale is None else scale.restore(samples, space.value_range)
            write_whole(path, _numbers(values.numpy(), sheet, path.suffix.lower()))
    noun = "sample" if space.kind is IMAGES else space.kind.noun
    say(f"{counted(len(rows), noun)} of step {checkpoint.header.step:,}: {path}")
    if command.show:
        show(drawing(rows, sheet, space))
    if command.images:
        singles = path.with_suffix("")
        for image, name in zip(rows.numpy(), _names(command, sheet, space.classes), strict=True):
            single = singles / f"{name}.png"
            with writing(single):
                save(image, single)
        say(f"{counted(len(rows), 'single image')}: {singles}")


def _check(command: SampleCommand, file: Path | None) -> None:
    """Raise `ConfigError` for keys that contradict each other."""
    refuse_two_counts(command.num, command.seed, command.seeds)
    if command.latents is not None:
        given = [key for key in ("num", "seed", "seeds") if getattr(command, key) is not None]
        if given:
            raise ConfigError(f"{given[0]}: says nothing where latents has one for each sample; leave one out")
    if command.images and file is not None:
        raise ConfigError(f"images: need a folder, but out={file} is a file; name a folder, or leave images=false")
    if command.numbers and (file is None or file.suffix.lower() == ".png"):
        raise ConfigError("numbers: are for a file of them; name it by out=samples.npy, .npz or .csv")
    if command.images and command.sweep:
        raise ConfigError("images: a sweep is one image per code; leave images or sweep false")
    if command.direction is not None and command.sweep:
        raise ConfigError("sweep: shows codes, and direction moves latents; leave one out")
    if command.images and command.direction is not None and len(command.strength) > 1:
        raise ConfigError("images: a range of strengths is one image; take one strength, or leave images=false")


def _check_model(command: SampleCommand, file: Path | None, trained: TrainedGenerator) -> None:
    """Raise `ConfigError` for what the model of the run cannot draw."""
    kind, model = trained.space.kind, trained.config.model
    if kind is not IMAGES and command.images:
        raise ConfigError(
            f"images: this model draws {kind.noun}s, which have no single images; leave images=false"
        )
    if command.sweep and not model.latents.codes:
        raise ConfigError(
            "sweep: the model of this run has no codes; leave it false, or train with auxiliary=[code_loss] "
            "model.categorical_codes=[10]"
        )


def _numbers(values: np.ndarray, sheet: Sheet, ending: str) -> bytes:
    """Return a file of the values of samples; of a table, each sample is a row."""
    content = io.BytesIO()
    if ending == ".npy":
        np.save(content, values)
    elif ending == ".npz":
        arrays = {"samples": values} | ({} if sheet.labels is None else {"labels": sheet.labels.numpy()})
        np.savez(content, **arrays)  # type: ignore[arg-type]
    else:
        np.savetxt(content, values.reshape(len(values), -1), "%.9g", ",")
    return content.getvalue()


def drawing(rows: Tensor, sheet: Sheet, space: SampleSpace) -> np.ndarray:
    """Return a drawing of samples as a store has them, uint8 [height, width, channels], rows of classes named."""
    drawn = space.kind.draw(rows, columns=sheet.columns)
    if sheet.rows is not None and space.kind is not POINTS:
        drawn = captioned(drawn, [caption(space.classes[label], label) for label in sheet.rows])
    return drawn


def samples_of(sheet: Sheet, trained: TrainedGenerator, batch_size: int) -> Tensor:
    """Return the samples of a sheet as the network makes them, [count, *shape] on the device."""
    if sheet.shifts is None:
        return trained.samples(sheet.latents, sheet.labels, batch_size)
    return moving(trained).samples(torch.cat([sheet.latents, sheet.shifts], 1), sheet.labels, batch_size)


def sheets_of(command: SampleCommand, trained: TrainedGenerator, direction: Tensor | None) -> list[Sheet]:
    """Return what is to be drawn, moved along a direction if there is one, and make the generator ready for it.

    That is one sheet, or in a sweep one for each code. Raises `ConfigError` for what the generator cannot do.
    """
    bound = trained.truncate(command.truncation)
    if command.latents is not None and bound is not None:
        raise ConfigError("truncation: bounds latents that are drawn, and latents gives them; leave one out")
    sheets = _sheets(command, trained, bound, direction)
    if command.standing:
        trained.measure_norms(command.standing, bound)
    return sheets


def _sheets(
    command: SampleCommand, trained: TrainedGenerator, bound: float | None, direction: Tensor | None
) -> list[Sheet]:
    """Return the sheets of latents within a bound."""
    names = trained.space.classes
    given = None if command.latents is None else trained.latents_in(command.latents)
    chosen = labels_of(command.classes, names) if command.classes is not None and _in_rows(command) else None
    latents = _latents(command, trained, bound, len(chosen or [0]), given[0] if given else None)
    if chosen is None and command.classes is None and given is not None and given[1] is not None:
        labels: Tensor | None = given[1]
    elif chosen is None:
        labels = labels_in_turn(command.classes, names, command.seeds or range(len(latents)))
    else:
        labels = torch.tensor(chosen).repeat_interleave(len(latents) // len(chosen))
    if command.sweep:
        return _swept(trained.latents, latents, labels)
    if direction is not None and len(command.strength) > 1:
        return [_moved(latents, labels, direction, command.strength)]
    columns = None if chosen is None else len(latents) // len(chosen)
    shifts = None if direction is None else (command.strength[0] * direction).expand(len(latents), -1)
    return [Sheet(latents, labels, columns, chosen, shifts=shifts)]


def _swept(space: LatentSpace, latents: Tensor, labels: Tensor | None) -> list[Sheet]:
    """Return a sheet for each code: a row for each of the latents, a column for each value."""
    values = [*space.categorical, *[VALUES] * space.continuous]
    return [
        replace(
            _repeated("sweep", latents, labels, columns), latents=swept(space, latents, code, columns), code=code
        )
        for code, columns in enumerate(values)
    ]


def _moved(latents: Tensor, labels: Tensor | None, direction: Tensor, ends: tuple[float, ...]) -> Sheet:
    """Return a sheet of a row for each of the latents, and a column for each strength from end to end."""
    shifts = torch.linspace(ends[0], ends[1], STRENGTHS)[:, None] * direction
    sheet = _repeated("strength", latents, labels, STRENGTHS)
    return replace(sheet, shifts=shifts.repeat(len(latents), 1))


def _repeated(key: str, latents: Tensor, labels: Tensor | None, columns: int) -> Sheet:
    """Return a sheet of a row for each of the latents.

    Raises `ConfigError` that names the key for too many samples.
    """
    if (most := len(latents) * columns) > MOST_SEEDS:
        raise ConfigError(f"{key}: would draw {most:,} samples in one image; the most is {MOST_SEEDS:,}")
    rows = None if labels is None else labels.tolist()
    every = None if labels is None else labels.repeat_interleave(columns)
    return Sheet(latents.repeat_interleave(columns, 0), every, columns, rows)


def _latents(
    command: SampleCommand, trained: TrainedGenerator, bound: float | None, lines: int, given: Tensor | None
) -> Tensor:
    """Return latents [count, width] within a bound; each of the `lines` has the same seeds, or the given ones."""
    count = _count(command, lines) if given is None else lines * len(given)
    if count > MOST_SEEDS:
        raise ConfigError(f"class: would draw {count:,} samples; the most is {MOST_SEEDS:,}")
    if given is not None:
        return given.repeat(lines, 1)
    if command.seeds is not None:
        return trained.latents_of_seeds(command.seeds, bound).repeat(lines, 1)
    return trained.draw_latents(count, command.seed or 0, bound)


def _in_rows(command: SampleCommand) -> bool:
    """Return whether several classes are asked for, each of which has a row."""
    return isinstance(command.classes, list) or command.classes == ALL


def _count(command: SampleCommand, lines: int) -> int:
    """Return how many samples, or rows of columns, are drawn; of all `lines` of classes together."""
    if command.seeds is not None:
        return lines * len(command.seeds)
    in_lines = _in_rows(command) or command.sweep or (command.direction is not None and len(command.strength) > 1)
    count = command.num or (lines * FEW_IN_LINE if in_lines else FEW)
    if count % lines:
        below, above = count // lines * lines, (count // lines + 1) * lines
        take = f"{below:,} or {above:,}" if below else f"{above:,}"
        raise ConfigError(
            f"num: {counted(count, 'sample')} cannot be divided over {counted(lines, 'class')}; take {take}"
        )
    return count


def _names(command: SampleCommand, sheet: Sheet, classes: tuple[str, ...]) -> Iterator[str]:
    """Yield the names of single images: the class if it was asked for, then the seed, or a number from 0."""
    each = len(sheet.latents) if sheet.columns is None else sheet.columns
    for number in range(len(sheet.latents)):
        place = f"seed-{command.seeds[number % each]}" if command.seeds else f"{number % each:05d}"
        if command.classes is not None and sheet.labels is not None:
            place = f"{word(classes[sheet.labels[number]])}-{place}"
        yield place


def _title(command: SampleCommand, count: int) -> str:
    """Return words for file names that tell apart what was asked for; `count` samples were drawn."""
    seeds, asked = command.seeds, command.classes
    if command.latents is not None:
        words = [f"latents-{word(Path(command.latents).stem)}-{count}"]
    elif seeds is None:
        words = [f"seed-{command.seed or 0}-{count}"]
    else:
        words = [words_of_seeds(seeds)]
    if asked is not None:
        words.append(words_of_classes(asked))
    if command.truncation is not None:
        words.append(f"truncation-{command.truncation:g}")
    if command.direction is not None:
        strength = "..".join(f"{end:g}" for end in command.strength)
        words.append(f"{command.method}-{command.direction}-by-{strength}")
    if command.standing:
        words.append(f"standing-{command.standing}")
    return "-".join(words)
