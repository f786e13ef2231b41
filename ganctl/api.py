"""What `import ganctl` offers to programs: a trained generator as an object, and training by the words of the
command line.
"""

import os
from collections.abc import Sequence
from operator import index
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ganctl.command_line import compose
from ganctl.commands import train as command_train
from ganctl.commands.words.classes import label_of, labels_in_turn
from ganctl.errors import ConfigError, counted
from ganctl.folders.as_words import expanded
from ganctl.plugins import import_plugins
from ganctl.runs.generator import AT_ONCE, GeneratorChoice, TrainedGenerator, open_generator
from ganctl.runtime.signals import Signals
from ganctl.validation import validate

Labels = int | str | Sequence[int | str]
"""One class for all samples, or one for each, by name or number."""


class LoadedGenerator:
    """A trained generator: latents to samples.

    `module` is the network, in evaluation mode and on its device; its weights need no gradients. `shape` is one
    sample's, (height, width, channels) of an image, (length, channels) of a sequence or (dimensions,) of a point;
    `classes` are the names of the classes of a conditional generator, or none. All methods raise
    `ganctl.errors.ConfigError` for what the generator cannot do.
    """

    def __init__(self, trained: TrainedGenerator) -> None:
        self._trained = trained
        self.module: nn.Module = trained.network.eval()
        channels, *sides = trained.space.shape
        self.shape: tuple[int, ...] = (*sides, channels)
        self.classes: tuple[str, ...] = trained.space.classes

    def __repr__(self) -> str:
        checkpoint, classes = self._trained.checkpoint, f", {counted(len(self.classes), 'class')}"
        told = f"{self._trained.space.describe()}{classes if self.classes else ''}"
        return f"<generator of {told}, step {checkpoint.header.step:,} of {checkpoint.path}>"

    def latents(self, num: int = 16, seed: int = 0, *, seeds: Sequence[int] | None = None) -> Tensor:
        """Return the latents that `ganctl sample` would draw, float32 [num, width] on the generator's device.

        `seeds` draws one for each seed, instead of `num` of one.
        """
        return self._drawn(num, seed, seeds, None).to(self._trained.device.torch_device)

    def sample(
        self,
        num: int = 16,
        seed: int = 0,
        labels: Labels | None = None,
        *,
        seeds: Sequence[int] | None = None,
        truncation: float | None = None,
        batch_size: int = AT_ONCE,
    ) -> np.ndarray:
        """Return what `ganctl sample out=samples.npy` writes: [num, *shape], images uint8 and others float32.

        `labels` are the classes that are asked for, by default all in turn. `truncation` bounds normal latents, or
        keeps so much of the way from the mean style to others. `batch_size` samples are computed at once.
        """
        _require(truncation is None or truncation > 0, f"truncation: must be above 0, not {truncation}")
        _require(batch_size >= 1, f"batch_size: must be at least 1, not {batch_size}")
        try:
            latents = self._drawn(num, seed, seeds, self._trained.truncate(truncation))
            return self._trained.rows(latents, self._labels(labels, len(latents), seeds), batch_size).numpy()
        finally:
            self._trained.truncate(None)

    def __call__(self, latents: Tensor, labels: Labels | Tensor | None = None) -> Tensor:
        """Return the samples of latents [count, width], [count, channels, height, width] or [count, dimensions].

        The result can be differentiated by the latents. Images lie in the range of values that the network was
        trained with, [-1, 1] or, where its output is a sigmoid, [0, 1].
        """
        device, width = self._trained.device, self._trained.latents.width
        right = latents.dim() == 2 and latents.shape[1] == width
        _require(right, f"latents: must be [count,{width}], not {list(latents.shape)}")
        latents = latents.to(device.torch_device, device.dtype)
        wanted = labels if isinstance(labels, Tensor) else self._labels(labels, len(latents))
        if wanted is not None:
            wanted = wanted.to(device.torch_device)
        with device.autocast():
            samples: Tensor = self.module(latents) if wanted is None else self.module(latents, wanted)
        return samples.to(device.dtype)

    def _drawn(self, num: int, seed: int, seeds: Sequence[int] | None, bound: float | None) -> Tensor:
        """Return latents; whole numbers of any type count as those of Python, which key the draws."""
        if seeds is None:
            _require(num >= 1, f"num: must be at least 1, not {num}")
            return self._trained.draw_latents(index(num), index(seed), bound)
        _require(len(seeds) > 0, "seeds: must hold one seed or more")
        return self._trained.latents_of_seeds([index(each) for each in seeds], bound)

    def _labels(self, asked: Labels | None, count: int, seeds: Sequence[int] | None = None) -> Tensor | None:
        """Return the labels of so many samples, int64 [count], or None where there are no classes."""
        if asked is None:
            numbers = range(count) if seeds is None else [index(each) for each in seeds]
            return labels_in_turn(None, self.classes, numbers)
        if isinstance(asked, int | str):
            return torch.full((count,), label_of(asked, self.classes))
        if len(asked) != count:
            raise ConfigError(f"labels: {counted(len(asked), 'label')} for {counted(count, 'sample')}")
        return torch.tensor([label_of(each, self.classes) for each in asked])


def _require(right: bool, otherwise: str) -> None:
    """Raise `ConfigError` unless something is right."""
    if not right:
        raise ConfigError(otherwise)


def load(
    run: str | os.PathLike[str],
    *,
    which: str = "newest",
    ema: bool = True,
    device: str = "auto",
    precision: str = "auto",
    plugins: Sequence[str] = (),
) -> LoadedGenerator:
    """Open a trained generator: of a run's folder, its name below outputs/, latest, or a checkpoint file.

    `which` is newest or best, `ema` takes the averaged weights, `device` is auto, cpu, cuda, cuda:1 or mps,
    `precision` is auto, fp32, bf16, fp16 or fp64, and `plugins` are modules of your own that the run was trained
    with. Nothing that the checkpoint holds is executed. Raises `ganctl.errors.GanctlError`.
    """
    import_plugins(list(plugins))
    (job,) = compose.jobs("sample", ["ckpt=run"])
    values = job.values()
    settings = {"name": device, "precision": precision}
    asked = {"ckpt": os.fspath(run), "which": which, "ema": ema, "device": values["device"] | settings}
    known = {key: values[key] for key in GeneratorChoice.model_fields}
    return LoadedGenerator(open_generator(validate(GeneratorChoice, known | asked)))


def train(*words: str) -> Path:
    """Train as `ganctl train` does with these words, such as "data=mnist" and "train.steps=500".

    Returns the run's folder; a run that is complete is not trained again, and one that was interrupted goes on.
    Signals end it after saving, as on the command line. Raises `ganctl.errors.GanctlError`, and `Stopped`.
    """
    jobs = compose.jobs("train", expanded(words))
    if len(jobs) != 1 or jobs[0].sweep is not None:
        raise ConfigError(f"{' '.join(words)}: asks for {counted(len(jobs), 'run')}; train takes the words of one")
    (job,) = jobs
    values = job.values()
    import_plugins(values.get("plugins", []))
    with Signals() as signals:
        command_train.run(values, job, signals)
    return Path(job.found["folder"])
