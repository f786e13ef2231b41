"""A trained generator: found by what a user calls it, read, verified, and built on a device."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from ganctl.checkpoints.file import Checkpoint
from ganctl.checkpoints.verify import open_checkpoint
from ganctl.config import DeviceConfig, TrainConfig
from ganctl.data.sources.numpy_file import NumpyFile
from ganctl.errors import CheckpointError, ConfigError, DataError
from ganctl.folders.find import find_run
from ganctl.folders.run_folder import RunFolder
from ganctl.game.assemble import build_network
from ganctl.game.build import open_configured
from ganctl.game.sampling import at_once, evaluated, generate
from ganctl.game.standing import standing
from ganctl.models import Discriminator, StyledGenerator
from ganctl.models.latents import LatentSpace
from ganctl.models.parts.styles.deviation import MinibatchDeviation
from ganctl.registry import Spec
from ganctl.runtime.console import say
from ganctl.runtime.device import Device
from ganctl.runtime.randomness import generator
from ganctl.samples import SampleSpace

CPU = torch.device("cpu")
AT_ONCE = 64
"""Samples per forward where nothing else is asked for."""

NONE_INTACT = "a run without an intact checkpoint; train it further first"


class GeneratorChoice(Spec):
    """Which trained generator, and where it computes."""

    ckpt: str
    which: Literal["newest", "best"]
    ema: bool
    plugins: list[str]
    device: DeviceConfig


class GeneratorCommand(GeneratorChoice):
    """What every command is told that writes what it finds by a trained generator."""

    standing: Annotated[int, Field(ge=0, le=100_000)]
    out: Annotated[str, AfterValidator(os.path.expanduser)] | None


@dataclass(frozen=True)
class TrainedGenerator:
    """A generator on a device, what it makes, its checkpoint, and the config that it was trained by."""

    network: nn.Module
    space: SampleSpace
    checkpoint: Checkpoint
    config: TrainConfig
    device: Device

    def folder(self, below: str = "") -> Path:
        """Return where results go by default: a folder below the run's own, or that of a single checkpoint."""
        beside = self.checkpoint.path.parent
        return beside.parent / below if beside.name == "checkpoints" else beside

    @property
    def latents(self) -> LatentSpace:
        """What the generator maps to samples."""
        return self.config.model.latents

    def truncate(self, truncation: float | None) -> float | None:
        """Keep only so much of the way from the mean style to others, if the generator has styles; None for all.

        Returns the bound of the latents' values: `truncation` for a generator without styles, else None.
        Raises `ConfigError` for one whose latents cannot be bounded.
        """
        if isinstance(self.network, StyledGenerator):
            self.network.truncation = 1.0 if truncation is None else truncation
            return None
        if truncation is not None and self.latents.prior != "normal":
            raise ConfigError(
                f"truncation: bounds latents of the prior normal, and this run has model.prior="
                f"{self.latents.prior}; leave it null"
            )
        return truncation

    def draw_latents(self, count: int, seed: int, bound: float | None = None, stream: str = "sample") -> Tensor:
        """Return latents [count, width] of a seed, drawn on the CPU: every device samples the same ones.

        Those of another `stream` than `ganctl sample` draws from are others.
        """
        return self.latents.draw((count,), generator(CPU, stream, seed), torch.float32, bound)

    def latents_of_seeds(self, seeds: Sequence[int], bound: float | None = None) -> Tensor:
        """Return latents [seeds, width], each drawn on the CPU from a seed of its own."""
        sources = (generator(CPU, "sample", seed) for seed in seeds)
        return torch.stack([self.latents.draw((), source, torch.float32, bound) for source in sources])

    def latents_in(self, path: str) -> tuple[Tensor, Tensor | None]:
        """Return the latents of a file, float [count, width] or [width], and their labels, int64 [count], if any.

        A .npy file holds latents alone, an .npz file `latents` and maybe `labels`. Raises `DataError` for a file
        that cannot be read or holds others.
        """
        file = NumpyFile(path, "latents")
        names = file.names()
        if file.is_archive and "latents" not in names:
            raise DataError(f"latents: {path} holds {', '.join(names) or 'no array'}, and no array 'latents'")
        latents = self._latents_of(file.read("latents" if file.is_archive else None), path)
        if not self.space.classes or "labels" not in names:
            return latents, None
        labels = file.read("labels")
        if labels.shape != latents.shape[:1] or labels.dtype.kind not in "iu":
            found = f"{labels.dtype} [{','.join(map(str, labels.shape))}]"
            raise DataError(f"latents: {path} holds labels {found}; they must be whole numbers [{len(latents)}]")
        if not ((labels >= 0) & (labels < len(self.space.classes))).all():
            raise DataError(f"latents: {path} holds labels beyond the classes 0–{len(self.space.classes) - 1}")
        return latents, torch.from_numpy(labels.astype(np.int64))

    def _latents_of(self, values: np.ndarray, path: str) -> Tensor:
        width = self.latents.width
        if values.dtype.kind != "f" or values.ndim not in (1, 2) or values.shape[-1] != width or not values.size:
            found = f"{values.dtype} [{','.join(map(str, values.shape))}]"
            raise DataError(f"latents: {path} holds {found}, but this generator takes floats [count,{width}]")
        if not np.isfinite(values).all():
            raise DataError(f"latents: {path} holds values that are not finite")
        return torch.tensor(values.reshape(-1, width), dtype=torch.float32)

    def samples(self, latents: Tensor, labels: Tensor | None = None, batch_size: int = AT_ONCE) -> Tensor:
        """Return the samples of latents [count, width] and labels, int64 [count], as the network makes them.

        That is [count, *shape] on the device.
        """
        latents = latents.to(self.device.torch_device, self.device.dtype)
        labels = None if labels is None else labels.to(self.device.torch_device)
        return generate(self.network, latents, self.device, batch_size, labels)

    def rows(self, latents: Tensor, labels: Tensor | None = None, batch_size: int = AT_ONCE) -> Tensor:
        """Return the samples of latents [count, width] and labels, int64 [count], as a store has them."""
        samples = self.samples(latents, labels, batch_size)
        return self.space.kind.store(samples, self.space.value_range)

    def discriminator(self) -> Discriminator:
        """Return the discriminator of the checkpoint, in evaluation mode, which judges each image by itself.

        Raises `CheckpointError` if it is damaged, `ConfigError` for one that judges packs.
        """
        if self.config.train.pack > 1:
            raise ConfigError(f"the discriminator of this run judges packs (train.pack={self.config.train.pack})")
        network = build_network(self.config, "discriminator", self.space, self.device).requires_grad_(False)
        _fill(network, self.checkpoint, "discriminator.")
        assert isinstance(network, Discriminator)
        for module in network.modules():
            if isinstance(module, MinibatchDeviation):
                module.group = 1
        return network.eval()

    def styles(self, latents: Tensor, labels: Tensor | None = None, batch_size: int = AT_ONCE) -> Tensor:
        """Return the styles of latents [count, width] and labels, int64 [count], [count, styles, width].

        On the CPU, and truncated if that is asked for. The generator must be a `StyledGenerator`.
        """
        network, device = self._styled(), self.device
        latents = latents.to(device.torch_device, device.dtype)
        labels = None if labels is None else labels.to(device.torch_device)
        return evaluated(network, network.styles, device, batch_size, latents, labels).cpu()

    def rows_of_styles(self, styles: Tensor, batch_size: int = AT_ONCE) -> Tensor:
        """Return the samples of styles [count, styles, width], as a store has them."""
        network, device = self._styled(), self.device
        samples = evaluated(network, network.synthesise, device, batch_size, styles.to(device.torch_device))
        return self.space.kind.store(samples, self.space.value_range)

    def _styled(self) -> StyledGenerator:
        assert isinstance(self.network, StyledGenerator)
        return self.network

    def measure_norms(self, batches: int, truncation: float | None = None) -> None:
        """Take batch norm's statistics anew from so many batches as large as in training, at most 256 each.

        Their latents are the same each time, bounded by `truncation`; they are of every class in turn. Raises
        `ConfigError` for a generator without batch norm.
        """
        if not any(name.endswith("running_mean") for name, _ in self.network.named_buffers()):
            raise ConfigError("standing: the generator of this run has no batch norm; set it to 0")
        classes, count = len(self.space.classes), at_once(self.config)

        def batch(number: int) -> tuple[Tensor, ...]:
            source = generator(CPU, "standing", number)
            drawn = self.latents.draw((count,), source, torch.float32, truncation)
            drawn = drawn.to(self.device.torch_device, self.device.dtype)
            if not classes:
                return (drawn,)
            labels = torch.arange(number * count, (number + 1) * count) % classes
            return drawn, labels.to(self.device.torch_device)

        standing(self.network, map(batch, range(batches)), self.device)


def open_generator(command: GeneratorChoice) -> TrainedGenerator:
    """Open a checkpoint file, or a run's best checkpoint, or its newest whose generator is intact.

    Raises `CheckpointError` if there is none, `ConfigError` where there is nothing to choose from.
    """
    path = find_run(command.ckpt)
    if not path.is_dir():
        if command.which == "best":
            raise ConfigError(f"which: chooses within a run folder, but ckpt={path} is none; leave it out")
        return _load(open_checkpoint(path), command)
    folder = RunFolder(path)
    if command.which == "best":
        if folder.checkpoints.best.exists():
            return _load(open_checkpoint(folder.checkpoints.best), command)
        lacking = "keeps no best checkpoint; train with evaluate.every=500, or leave which=best out"
    else:
        for newest in open_each(folder.checkpoints.intact(), command):
            return newest
        for damaged in folder.checkpoints.files():
            return _load(open_checkpoint(damaged), command)  # raises what is wrong with it
        lacking = NONE_INTACT
    folder.saved_config()  # which tells if this is no run folder
    raise CheckpointError(f"{path}: {lacking}")


def open_each(checkpoints: Iterable[Checkpoint], command: GeneratorChoice) -> Iterator[TrainedGenerator]:
    """Yield the generators of checkpoints, each read in its turn; damaged ones are reported and left out."""
    for checkpoint in checkpoints:
        try:
            trained = _load(checkpoint, command)
        except CheckpointError as error:
            say(f"passed over a damaged checkpoint: {error}")
        else:
            yield trained


def checkpoints_of(command: GeneratorChoice, *, best: bool = False) -> list[Checkpoint]:
    """Return the checkpoints of a run whose headers are intact, oldest first.

    With `best`, also the best one, unless it is of the step of another.

    Raises `CheckpointError` if there is none, `ConfigError` for a single checkpoint.
    """
    path = find_run(command.ckpt)
    if not path.is_dir():
        raise ConfigError(f"ckpt: {path} is a single checkpoint; name the folder of its run")
    folder = RunFolder(path)
    found = [*folder.checkpoints.intact()]
    if not found:
        folder.saved_config()  # which tells if this is no run folder
        raise CheckpointError(f"{path}: {NONE_INTACT}")
    if best and folder.checkpoints.best.exists():
        try:
            kept = open_checkpoint(folder.checkpoints.best)
        except CheckpointError as error:
            say(f"passed over a damaged checkpoint: {error}")
        else:
            found += [kept] if kept.header.step not in {each.header.step for each in found} else []
    return sorted(found, key=lambda checkpoint: checkpoint.header.step)


def _load(checkpoint: Checkpoint, command: GeneratorChoice) -> TrainedGenerator:
    """Return the generator of a checkpoint, its average if there is one and it is wanted.

    Only that network's tensors are read and verified. Raises `CheckpointError` if they are damaged.
    """
    config = checkpoint.config
    space = config.model.space(SampleSpace.of_shape(checkpoint.header.shape, classes=checkpoint.header.classes))
    device = open_configured(command.device, space.kind)
    averaged = command.ema and any(name.startswith("ema.") for name in checkpoint.tensors)
    prefix = "ema." if averaged else "generator."
    network = build_network(config, "generator", space, device).requires_grad_(False)
    _fill(network, checkpoint, prefix)
    return TrainedGenerator(network, space, checkpoint, config, device)


def _fill(network: nn.Module, checkpoint: Checkpoint, prefix: str) -> None:
    """Load a checkpoint's tensors whose names begin with a prefix; raise `CheckpointError` if they do not fit."""
    tensors = checkpoint.read(lambda name: name.startswith(prefix))
    try:
        network.load_state_dict({name.removeprefix(prefix): tensor for name, tensor in tensors.items()})
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint.path}: its tensors do not fit its config ({error})") from error
