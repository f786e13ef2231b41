"""ganctl sample: images or points from a checkpoint."""

import hashlib
import io
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.output import file_named, writing
from ganctl.commands.seeds import MOST as MOST_SEEDS
from ganctl.commands.seeds import Seeds
from ganctl.errors import ConfigError, counted
from ganctl.game.sampling import generate
from ganctl.images.png import encoded, save
from ganctl.models.latents import LatentSpace
from ganctl.runs.generator import GeneratorCommand, open_generator
from ganctl.runtime.console import say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.randomness import generator
from ganctl.runtime.signals import Signals
from ganctl.samples import POINTS, Kind
from ganctl.validation import validate

ENDINGS = frozenset({"png", "npy", "npz", "csv"})
"""Of files that samples can be written to: an image of them all, or the numbers themselves."""


FEW = 64
"""Samples that are drawn where neither `num` nor `seeds` says how many."""


class SampleCommand(GeneratorCommand):
    """Everything that `ganctl sample` is told."""

    num: Annotated[int, Field(ge=1, le=MOST_SEEDS)] | None
    seed: Annotated[int, Field(ge=0)] | None
    seeds: Seeds | None
    images: bool
    batch_size: Annotated[int, Field(ge=1)]


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Draw samples into one image, and on request also one image each, or write their numbers.

    Raises `CheckpointError` if there is no intact checkpoint, `ConfigError` for what does not go together and for
    a place that cannot be written.
    """
    command = validate(SampleCommand, values)
    file = file_named(command.out, ENDINGS)
    _check(command, file)
    keep_freed_memory()
    trained = open_generator(command)
    checkpoint, config, device, space = trained.checkpoint, trained.config, trained.device, trained.space
    points = space.kind is POINTS
    if points and command.images:
        raise ConfigError("images: this model draws points, which have no single images; leave images=false")
    if file is not None and file.suffix.lower() == ".csv" and not points:
        raise ConfigError(f"out: {file} would be a table, but this model draws images; take .png, .npy or .npz")
    latents = _latents(config.model.latents, command).to(device.torch_device, device.dtype)
    samples = generate(trained.network, latents, device, command.batch_size)
    rows = space.kind.store(samples, space.value_range)
    stem = "-".join([checkpoint.path.stem, _title(command), *([] if command.ema else ["raw"])])
    folder = trained.folder("samples") if command.out is None else Path(command.out)
    path = file or folder / f"{stem}.png"
    with writing(path):
        write_whole(path, _content(rows, space.kind, path.suffix.lower()))
    say(f"{counted(len(rows), 'point' if points else 'sample')} of step {checkpoint.header.step:,}: {path}")
    if command.images:
        singles = path.with_suffix("")
        for number, image in enumerate(rows.numpy()):
            single = singles / (f"seed-{command.seeds[number]}.png" if command.seeds else f"{number:05d}.png")
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
    if command.images and file is not None:
        raise ConfigError(f"images: need a folder, but out={file} is a file; name a folder, or leave images=false")


def _content(rows: Tensor, kind: Kind, ending: str) -> bytes:
    """Return a file of samples as a store has them, or of a drawing of them."""
    if ending == ".png":
        return encoded(kind.draw(rows))
    values, content = rows.numpy(), io.BytesIO()
    if ending == ".npy":
        np.save(content, values)
    elif ending == ".npz":
        np.savez(content, samples=values)
    else:
        np.savetxt(content, values, "%.9g", ",")
    return content.getvalue()


def _latents(space: LatentSpace, command: SampleCommand) -> Tensor:
    """Return latents [count, width] drawn on the CPU, so that every device samples the same ones."""
    cpu = torch.device("cpu")
    if command.seeds is None:
        source = generator(cpu, "sample", command.seed or 0)
        return space.draw((command.num or FEW,), source, torch.float32)
    each = (generator(cpu, "sample", seed) for seed in command.seeds)
    return torch.stack([space.draw((), source, torch.float32) for source in each])


def _title(command: SampleCommand) -> str:
    """Return words for file names that tell apart what was asked for."""
    seeds = command.seeds
    if seeds is None:
        return f"seed-{command.seed or 0}-{command.num or FEW}"
    if seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds-{seeds[0]}-{seeds[-1]}"
    return f"seeds-{len(seeds)}-{hashlib.sha256(repr(seeds).encode()).hexdigest()[:6]}"
