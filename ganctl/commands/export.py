"""ganctl export: a trained generator as a file that programs without ganctl can run."""

import json
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.words.output import file_named, writing
from ganctl.errors import ConfigError
from ganctl.runs.generator import GeneratorCommand, TrainedGenerator, open_generator
from ganctl.runtime.console import say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.runtime.version import __version__
from ganctl.samples import IMAGES
from ganctl.uses.agreement import checked
from ganctl.uses.deployable import Deployable
from ganctl.uses.file_formats import FORMATS, FileFormat, FormatName, Inputs
from ganctl.validation import validate

NAMES: dict[str, FormatName] = {each.ending: name for name, each in FORMATS.items()}
"""Formats by the ending of their files."""

BATCHES = (1, 2, 5)
"""Latents in the batches by which a file is compared with PyTorch."""


class ExportCommand(GeneratorCommand):
    """Everything that `ganctl export` is told."""

    format: FormatName | None
    images: Literal["uint8", "float"] | None
    truncation: Annotated[float, Field(gt=0)] | None


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Write a generator to a file, once the bytes of the file have been run and agree with PyTorch.

    Raises `CheckpointError` if there is no intact checkpoint, `ConfigError` for what does not go together, for a
    generator that cannot be exported, for a file that computes something else, and for a place that cannot be
    written.
    """
    command = validate(ExportCommand, values)
    file = file_named(command.out, NAMES)
    name = _format(command, file)
    keep_freed_memory()
    trained = open_generator(command)
    _prepare(trained, command)
    folder = trained.folder("exports") if command.out is None else Path(command.out)
    path = file or folder / _file_name(command, trained, FORMATS[name])
    _check_place(path, trained)
    pixels = "own" if name == "safetensors" else command.images or "uint8"
    generator = Deployable(trained.network, trained.config.model, trained.space, pixels)
    inputs: Inputs = (trained.draw_latents(sum(BATCHES), 0),)
    if classes := len(trained.space.classes):
        inputs += (torch.arange(sum(BATCHES)) % classes,)
    facts = _facts(command, trained, generator)
    content, found = checked(FORMATS[name], generator, inputs, BATCHES, facts)
    with writing(path):
        write_whole(path, content)
    say(f"generator of step {trained.checkpoint.header.step:,}, {len(content) / 1e6:,.1f} MB: {path}")
    say(f"largest difference from PyTorch {found} over batches of 1, 2 and 5 latents")


def _format(command: ExportCommand, file: Path | None) -> FormatName:
    """Return the format that is asked for, or that the file's ending says; raise `ConfigError` if they differ."""
    told = NAMES[file.suffix.lower().removeprefix(".")] if file is not None else None
    name = command.format or told or "onnx"
    if told not in (None, name):
        raise ConfigError(
            f"out: {file} has the ending of format={told}, but format={name} ends in .{FORMATS[name].ending}; "
            "change one, or leave format out"
        )
    for key in ("images", "truncation"):
        if name == "safetensors" and getattr(command, key) is not None:
            raise ConfigError(f"{key}: says nothing of weights, and a safetensors file has no more; leave it null")
    return name


def _prepare(trained: TrainedGenerator, command: ExportCommand) -> None:
    """Truncate styles and measure batch norms as asked; raise `ConfigError` for what this generator lacks."""
    if command.images is not None and (kind := trained.space.kind) is not IMAGES:
        raise ConfigError(f"images: this model draws {kind.noun}s, which are float32; leave it null")
    if command.truncation is not None and not trained.config.model.has_styles:
        raise ConfigError(
            "truncation: moves styles, and this generator has none; leave it null, and bound the latents instead"
        )
    trained.truncate(command.truncation)
    if command.standing:
        trained.measure_norms(command.standing)


def _check_place(path: Path, trained: TrainedGenerator) -> None:
    """Raise `ConfigError` for a file that would take the place of a checkpoint, or lie among them."""
    own = path.exists() and path.samefile(trained.checkpoint.path)
    if own or path.parent.resolve().name == "checkpoints":
        raise ConfigError(f"out: {path} is a place of checkpoints; name another file or folder")


def _file_name(command: ExportCommand, trained: TrainedGenerator, form: FileFormat) -> str:
    """Return a name that tells apart what was asked for."""
    words = [trained.checkpoint.path.stem]
    words += ["float"] * (command.images == "float")
    words += [f"truncation-{command.truncation:g}"] if command.truncation is not None else []
    words += [f"standing-{command.standing}"] if command.standing else []
    words += [] if command.ema else ["raw"]
    return f"{'-'.join(words)}.{form.ending}"


def _facts(command: ExportCommand, trained: TrainedGenerator, generator: Deployable) -> dict[str, str]:
    """Return what the file says of its generator; what is no text, as JSON."""
    latents, config, checkpoint = trained.latents, trained.config, trained.checkpoint
    averaged = command.ema and any(name.startswith("ema.") for name in checkpoint.tensors)
    facts = {
        "ganctl_version": __version__,
        "model": config.model.name,
        "step": checkpoint.header.step,
        "averaged": averaged,
        "latents": latents.width,
        "prior": latents.prior,
        "categorical_codes": latents.categorical,
        "continuous_codes": latents.continuous,
        "classes": trained.space.classes,
        "output": generator.output(),
        "value_range": generator.value_range(),
        "truncation": command.truncation,
        "standing": command.standing,
        "config_digest": config.digest(),
    }
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in facts.items()}
