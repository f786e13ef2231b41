"""ganctl as its commands compose it, one step at a time."""

import tempfile
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import torch

from ganctl.config import TrainConfig, train_config
from ganctl.data.store import Store
from ganctl.runtime.device import Device
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.training.assemble import build_game, build_network, open_configured
from ganctl.training.generate import generate
from ganctl.training.progress import ProgressDisplay
from ganctl.training.run_folder import RunFolder
from ganctl.training.runner import Runner
from ganctl.training.step import train_step
from scripts.tables.runs import composed

Step = Callable[[], None]


def opened(words: Sequence[str]) -> tuple[TrainConfig, Device, Store]:
    """Return what `ganctl train <words>` trains on, the allocator set as it sets it."""
    keep_freed_memory()
    config = train_config(composed(("train", *words)))
    device = open_configured(config.device, points=config.data.points)
    return config, device, config.data.load()


def bare(config: TrainConfig, device: Device, store: Store) -> Step:
    """Return the step alone."""
    game = build_game(config, store, device)
    steps = count()
    return lambda: train_step(game, next(steps))


def whole(config: TrainConfig, device: Device, store: Store) -> Step:
    """Return a step of the runner, with the logs, pictures and checkpoints that are due after it."""
    place = tempfile.TemporaryDirectory()
    folder = RunFolder(Path(place.name))
    runner = Runner(config, folder, store, build_game(config, store, device), None, Signals())
    display = ProgressDisplay(0, config.train.steps, critic=config.loss.critic)

    def step(kept: object = place) -> None:
        runner._advance(display)

    return step


def sampling(config: TrainConfig, device: Device, store: Store) -> Step:
    """Return the drawing of one batch, as `ganctl sample` draws it."""
    network = build_network(config, "generator", store.shape, device)
    latents = torch.randn(config.train.batch_size, config.model.latent, device=device.torch_device)

    def step() -> None:
        generate(network, latents, device, config.train.batch_size)

    return step
