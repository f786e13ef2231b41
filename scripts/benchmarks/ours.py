"""ganctl as its commands compose it, one step at a time."""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

import torch

from ganctl.config import TrainConfig, train_config
from ganctl.data.store import Store
from ganctl.folders.run_folder import RunFolder
from ganctl.game.assemble import build_network
from ganctl.game.build import build_game, open_configured
from ganctl.game.sampling import generate
from ganctl.game.step import train_step
from ganctl.processes.ranks import Ranks
from ganctl.runs.desk import Desk
from ganctl.runs.limits import Limits
from ganctl.runs.runner import Runner
from ganctl.runtime.device import Device
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from scripts.benchmarks.cases import CASES, EAGER, Case, random_images, words_of
from scripts.tables.runs import composed

Step = Callable[[], None]


def opened(words: Sequence[str]) -> tuple[TrainConfig, Device, Store]:
    """Return what `ganctl train <words>` trains on, the allocator set as it sets it."""
    keep_freed_memory()
    config = train_config(composed(("train", *words)))
    device = open_configured(config.device, config.data.kind)
    return config, device, config.data.load()


def each(options: argparse.Namespace) -> Iterator[tuple[Case, str, TrainConfig, Device, Store]]:
    """Open the training steps among the cases that were asked for, in each mode."""
    for name in options.cases:
        case = CASES[name]
        if case.kind != "step":
            continue
        for mode in EAGER:
            with random_images(case.rgb) as rgb:
                words = words_of(case, mode, mnist=options.mnist, device=options.device, rgb=rgb)
                yield case, mode, *opened([*words, *options.words])


def without_graphs(config: TrainConfig) -> TrainConfig:
    """Return a config whose steps are taken one operation at a time, as counting and profiling need it."""
    return config.model_copy(update={"device": config.device.model_copy(update={"graphs": False})})


def bare(config: TrainConfig, device: Device, store: Store) -> Step:
    """Return the step alone."""
    game = build_game(config, store, device)
    steps = count()
    return lambda: train_step(game, next(steps))


def whole(config: TrainConfig, device: Device, store: Store) -> Step:
    """Return a step of the runner, with the logs, images and checkpoints that are due after it."""
    place = tempfile.TemporaryDirectory()
    desk = Desk(RunFolder(Path(place.name)), config, Ranks())
    runner = Runner(desk, store, build_game(config, store, device), None, Signals(), Limits(config))

    def step(kept: object = place) -> None:
        runner.advance()

    return step


def sampling(config: TrainConfig, device: Device, store: Store) -> Step:
    """Return the drawing of one batch, as `ganctl sample` draws it."""
    network = build_network(config, "generator", config.model.space(store.space), device)
    latents = torch.randn(config.train.batch_size, config.model.latents.width, device=device.torch_device)

    def step() -> None:
        generate(network, latents, device, config.train.batch_size)

    return step
