"""ganctl sample: images or points from a checkpoint."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.words.classes import ALL, Classes, caption, in_name, labels_of
from ganctl.commands.words.output import digest, file_named, word, writing
from ganctl.commands.words.seeds import MOST as MOST_SEEDS
from ganctl.commands.words.seeds import Seeds
from ganctl.commands.words.sides import scale_of
from ganctl.errors import ConfigError, counted
from ganctl.images.png import captioned, encoded, save
from ganctl.images.terminal import show
from ganctl.runs.drawing import swept
from ganctl.runs.generator import GeneratorCommand, TrainedGenerator, open_generator
from ganctl.runtime.console import say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.samples import POINTS, SampleSpace, Scale
from ganctl.validation import validate

ENDINGS = frozenset({"png", "npy", "npz", "csv"})
"""Of files that samples can be written to: an image of them all, or the numbers themselves."""


FEW = 64
"""Samples that are drawn where neither `num` nor `seeds` says how many."""

FEW_IN_LINE = 8
"""Samples of each class, or rows of a sweep, where neither says how many."""

VALUES = 10
"""Values of a continuous code that a sweep shows, from -1 to 1."""


class SampleCommand(GeneratorCommand):
    """Everything that `ganctl sample` is told."""

    num: Annotated[int, Field(ge=1, le=MOST_SEEDS)] | None
    seed: Annotated[int, Field(ge=0)] | None
    seeds: Seeds | None
    latents: str | None
    classes: Classes = Field(alias="class")
    truncation: Annotated[float, Field(gt=0)] | None
    sweep: bool
    show: bool
    images: bool
    numbers: bool
    batch_size: Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Sheet:
    """What is drawn into one file: latents [count, width], and the label of each, int64 [count], or None.

    Images lie in so many columns, or as square as can be; `rows` are the labels of the rows, where they have any.
    """

    latents: Tensor
    labels: Tensor | None
    columns: int | None = None
    rows: list[int] | None = None
    code: int | None = None


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
    bound = trained.truncate(command.truncation)
    sheets = _sheets(command, trained, bound)
    if command.standing:
        trained.measure_norms(command.standing, bound)
    scale = scale_of(trained) if command.numbers else None
    for sheet in sheets:
        _draw(sheet, command, file, trained, scale)


def _draw(
    sheet: Sheet, command: SampleCommand, file: Path | None, trained: TrainedGenerator, scale: Scale | None
) -> None:
    """Draw the samples of a sheet, and write them; numbers in a scale, or as a store has them."""
    checkpoint, space = trained.checkpoint, trained.space
    samples = trained.samples(sheet.latents, sheet.labels, command.batch_size)
    rows = space.kind.store(samples, space.value_range)
    stem = "-".join([checkpoint.path.stem, _title(command, len(rows)), *([] if command.ema else ["raw"])])
    folder = trained.folder("samples") if command.out is None else Path(command.out)
    path = file or folder / f"{stem}.png"
    if sheet.code is not None:
        path = path.with_name(f"{path.stem}-code-{sheet.code}{path.suffix}")
    with writing(path):
        if path.suffix.lower() == ".png":
            write_whole(path, encoded(_drawing(rows, sheet, space)))
        else:
            values = rows if scale is None else scale.restore(samples, space.value_range)
            write_whole(path, _numbers(values.numpy(), sheet, path.suffix.lower()))
    noun = "point" if space.kind is POINTS else "sample"
    say(f"{counted(len(rows), noun)} of step {checkpoint.header.step:,}: {path}")
    if command.show:
        show(_drawing(rows, sheet, space))
    if command.images:
        singles = path.with_suffix("")
        for image, name in zip(rows.numpy(), _names(command, sheet, space.classes), strict=True):
            single = singles / f"{name}.png"
            with writing(single):
                save(image, single)
        say(f"{counted(len(rows), 'single image')}: {singles}")


def _check(command: SampleCommand, file: Path | None) -> None:
    """Raise `ConfigError` for keys that contradict each other."""
    if command.seeds is not None:
        if command.num is not None and command.num != len(command.seeds):
            raise ConfigError(
                f"num: {command.num:,} samples, but seeds has {len(command.seeds):,}, one for each; leave num out"
            )
        if command.seed is not None:
            raise ConfigError("seed: says nothing where seeds has one for each sample; leave seed or seeds out")
    if command.latents is not None:
        given = [key for key in ("num", "seed", "seeds", "truncation") if getattr(command, key) is not None]
        if given:
            raise ConfigError(f"{given[0]}: says nothing where latents has one for each sample; leave one out")
    if command.images and file is not None:
        raise ConfigError(f"images: need a folder, but out={file} is a file; name a folder, or leave images=false")
    if command.numbers and (file is None or file.suffix.lower() == ".png"):
        raise ConfigError("numbers: are for a file of them; name it by out=samples.npy, .npz or .csv")
    if command.images and command.sweep:
        raise ConfigError("images: a sweep is one image per code; leave images or sweep false")


def _check_model(command: SampleCommand, file: Path | None, trained: TrainedGenerator) -> None:
    """Raise `ConfigError` for what the model of the run cannot draw."""
    points, model = trained.space.kind is POINTS, trained.config.model
    if points and command.images:
        raise ConfigError("images: this model draws points, which have no single images; leave images=false")
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


def _drawing(rows: Tensor, sheet: Sheet, space: SampleSpace) -> np.ndarray:
    """Return a drawing of samples as a store has them, uint8 [height, width, channels], rows of classes named."""
    drawing = space.kind.draw(rows, columns=sheet.columns)
    if sheet.rows is not None and space.kind is not POINTS:
        drawing = captioned(drawing, [caption(space.classes[label], label) for label in sheet.rows])
    return drawing


def _sheets(command: SampleCommand, trained: TrainedGenerator, bound: float | None) -> list[Sheet]:
    """Return what is to be drawn, of latents within a bound: one sheet, or in a sweep one for each code."""
    space, classes = trained.latents, trained.space.classes
    asked = None if command.classes is None else labels_of(command.classes, classes)
    chosen = asked if _in_rows(command) else None
    latents = _latents(command, trained, bound, len(chosen or [0]))
    labels = None
    if chosen is not None:
        labels = torch.tensor(chosen).repeat_interleave(len(latents) // len(chosen))
    elif classes:
        turn = torch.tensor(command.seeds or range(len(latents))) % len(classes)
        labels = torch.full_like(turn, asked[0]) if asked else turn
    if not command.sweep:
        columns = None if chosen is None else len(latents) // len(chosen)
        return [Sheet(latents, labels, columns, chosen)]
    values = [*space.categorical, *[VALUES] * space.continuous]
    if (most := len(latents) * max(values)) > MOST_SEEDS:
        raise ConfigError(f"sweep: would draw {most:,} samples of a code; the most is {MOST_SEEDS:,}")
    rows = None if labels is None else labels.tolist()
    return [
        Sheet(
            swept(space, latents, code, columns),
            None if labels is None else labels.repeat_interleave(columns),
            columns,
            rows,
            code,
        )
        for code, columns in enumerate(values)
    ]


def _latents(command: SampleCommand, trained: TrainedGenerator, bound: float | None, lines: int) -> Tensor:
    """Return latents [count, width] within a bound; each of the `lines` has the same seeds, or those of a file."""
    given = None if command.latents is None else trained.latents_in(command.latents)
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
    """Return how many samples are drawn, or in a sweep how many rows; of all `lines` of classes together."""
    if command.seeds is not None:
        return lines * len(command.seeds)
    in_lines = _in_rows(command) or command.sweep
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
    elif seeds == list(range(seeds[0], seeds[-1] + 1)):
        words = [f"seeds-{seeds[0]}-{seeds[-1]}"]
    else:
        words = [f"seeds-{len(seeds)}-{digest(seeds)}"]
    if asked is not None:
        words.append(in_name(asked))
    if command.truncation is not None:
        words.append(f"truncation-{command.truncation:g}")
    if command.standing:
        words.append(f"standing-{command.standing}")
    return "-".join(words)
