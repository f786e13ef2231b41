"""The start of a run: which folder is its own, whether anything is left to do, and what it needs."""

import platform
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import torch

from ganctl import rules
from ganctl.config import TrainConfig
from ganctl.errors import ConfigError, counted
from ganctl.folders.find import point_latest
from ganctl.folders.naming import Naming
from ganctl.folders.run_folder import RunFolder
from ganctl.game.build import build_game, open_configured
from ganctl.processes.group import joined
from ganctl.processes.ranks import Ranks
from ganctl.runs.desk import Desk
from ganctl.runs.environment import other_plugins
from ganctl.runs.evaluation import Evaluation
from ganctl.runs.limits import Judge, Limits
from ganctl.runs.runner import Runner
from ganctl.runs.transfer import inherit
from ganctl.runtime.console import say
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.runtime.version import __version__


def run(config: TrainConfig, place: RunFolder | Naming, signals: Signals, judge: Judge | None = None) -> None:
    """Train a run to its last step, from its newest intact checkpoint if it has one; the data may tell its folder.

    A `judge` may give it up after an evaluation. Raises every error of the project; `Stopped` after the state has
    been saved.
    """
    limits = Limits(config, judge)
    warnings = rules.check(config)
    with joined(config.device.timeout) as ranks:
        _train(config, place, signals, limits, warnings, ranks)


def _train(
    config: TrainConfig,
    place: RunFolder | Naming,
    signals: Signals,
    limits: Limits,
    warnings: Sequence[str],
    ranks: Ranks,
) -> None:
    with ranks.speaking():
        if ranks.world > 1:
            _refuse_what_cannot_be_shared(config, ranks)
        folder = place.without_data() if isinstance(place, Naming) else place
        if folder is not None and (last := folder.completed(config)) is not None:
            if ranks.first:
                _tell_complete(folder, config, last)
            return
        keep_freed_memory()
        device = open_configured(config.device, config.data.kind)
        if ranks.world > 1 and device.torch_device.type == "mps":
            raise ConfigError("device.name: mps is for one process; take device=cpu")
        store = config.data.load()
        _compare(ranks, {"data": store.fingerprint})
        if isinstance(place, Naming):
            folder = folder or place.by_data(store.fingerprint)
            config = config.model_copy(update={"name": folder.path.name})
        assert folder is not None
        game = build_game(config, store, device)
        begun = config.init_from is None or bool(folder.checkpoints.files())
        inherited = [] if begun else inherit(game, config)
        evaluation = Evaluation(config, store, device) if config.evaluate.every else None
    desk = Desk(folder, config, ranks)
    with desk.open():
        for warning in warnings:
            say(f"note    {warning}")
        for line in inherited:
            say(line)
        runner = Runner(desk, store, game, evaluation, signals, limits)
        del game  # which a rollback replaces
        runner.run()


def _refuse_what_cannot_be_shared(config: TrainConfig, ranks: Ranks) -> None:
    """Raise `ConfigError` if the ranks cannot train a config together, or differ in what they compute by."""
    size, unit = config.train.batch_size, ranks.world * config.train.pack
    if size % unit:
        packs = f" in packs of {config.train.pack}" if config.train.pack > 1 else ""
        near = size // unit * unit or unit
        told = f"train.batch_size: {size} does not divide among {ranks.world} processes{packs}"
        raise ConfigError(f"{told}; take {near}")
    for key in ("graphs", "compile"):
        if getattr(config.device, key):
            raise ConfigError(f"device.{key}: is for one process; set it to false")
    versions = {"ganctl": __version__, "torch": torch.__version__, "python": platform.python_version()}
    _compare(ranks, {**versions, **config.identity()})


def _compare(ranks: Ranks, terms: Mapping[str, Any]) -> None:
    """Raise `ConfigError`, on all ranks, if one has another value of a term than the first."""
    told = [each.split("\0") for each in ranks.texts("\0".join(f"{key}={value}" for key, value in terms.items()))]
    for rank, other in enumerate(told):
        for theirs, ours in zip(other, told[0], strict=False):
            if theirs != ours:
                raise ConfigError(f"torchrun: rank {rank} has {theirs}, rank 0 {ours}; give all the same command")


def _tell_complete(folder: RunFolder, config: TrainConfig, last: int) -> None:
    folder.finish(config, last)
    point_latest(folder.path)
    done = f"{counted(last, 'step')} {'is' if last == 1 else 'are'} done"
    say(f"{folder.path} is complete: {done}; raise train.steps above {last:,} to go on")
    for newest in islice(folder.checkpoints.intact(quiet=True), 1):
        if told := other_plugins(newest.header.versions, config):
            say(f"note    plugins: not the source that it was trained with: {told}; name=… trains it anew")
