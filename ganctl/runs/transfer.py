"""A new run that begins with the weights of another: which they are, which fit, and what is re-initialised."""

import os
from contextlib import suppress
from pathlib import Path

from torch import nn

from ganctl.checkpoints.file import Checkpoint
from ganctl.checkpoints.verify import FLOATS
from ganctl.checkpoints.weights import AVERAGE, BareFile, digest, open_weights
from ganctl.config import TrainConfig, flatten
from ganctl.errors import CheckpointError, ConfigError, GanctlError, counted
from ganctl.folders.find import find_run
from ganctl.folders.run_folder import RunFolder
from ganctl.game.step import Game
from ganctl.runtime.root import outputs

LISTED = 6
"""Names of tensors that a line lists."""


def identified(config: TrainConfig) -> TrainConfig:
    """Return the config with the digest of the weights that it begins with, where it begins with any.

    A run that has begun already tells it if they are gone. Raises `ConfigError` for weights that are not those of
    the digest that is asked for, and whatever is wrong with them.
    """
    if config.init_from is None:
        if config.init_digest is not None:
            raise ConfigError("init_digest: is of the weights that init_from names; give it, or leave both out")
        return config
    if Path(config.init_from).name == "latest":
        raise ConfigError(
            "init_from: latest will mean this run itself once it has begun; give the name of the other"
        )
    try:
        found = digest(_opened(config))
    except GanctlError:
        if (known := _begun_with(config)) is None:
            raise
        found = known
    if config.init_digest not in (None, found):
        raise ConfigError(
            f"init_digest: is {config.init_digest}, but {config.init_from} has {found}; leave it out to take that"
        )
    return config.model_copy(update={"init_digest": found})


def _begun_with(config: TrainConfig) -> str | None:
    """Return the digest of the weights that a run of this config has begun with; None if there is no such run."""
    for name in sorted(os.listdir(outputs())) if outputs().is_dir() else ():
        with suppress(GanctlError):
            there = RunFolder(outputs() / name).own
            here = config.model_copy(update={"init_digest": there.init_digest})
            place = (there.init_from, there.init_which) == (here.init_from, here.init_which)
            if place and there.identity() == here.identity() and config.name in (None, name):
                return there.init_digest
    return None


def inherit(game: Game, config: TrainConfig) -> list[str]:
    """Give the networks of a game at step 0 the weights that they begin with; return what to report of that.

    A tensor is taken where one of the same name has the same shape: for the generator and its average those of the
    averaged generator, if there is one. Nothing else is taken. Raises `ConfigError` if no layer fits,
    or the networks are of another model, and `CheckpointError` for files that are damaged, or no longer the same.
    """
    source = _opened(config)
    if (found := digest(source)) != config.init_digest:
        raise CheckpointError(
            f"init_from: {source.path} holds other weights (sha256 {found}) than this run began with "
            f"({config.init_digest}); bring those back, or start a new run"
        )
    _refuse_other_model(source, config)
    averaged = any(name.startswith(f"{AVERAGE}.") for name in source.tensors)
    lines, fitting = [f"init    {_told(source)}"], 0
    for player in (game.generator, game.discriminator):
        average = averaged and player is game.generator
        networks = [player.network, *([game.ema.average] if game.ema and player is game.generator else [])]
        taken, told = _take(source, AVERAGE if average else player.name, networks)
        fitting += taken
        lines += [f"init    {'averaged ' if average else ''}{player.name}: {told[0]}", *told[1:]]
    if not fitting:
        differing = _differing(source, config)
        raise ConfigError(f"init_from: no layer of {source.path} has the name and shape of one here{differing}")
    return lines


def _opened(config: TrainConfig) -> Checkpoint | BareFile:
    """Open the weights that a config names: a file, or a run's newest or best checkpoint."""
    assert config.init_from is not None
    best = config.init_which == "best"
    try:
        path = find_run(config.init_from)
        if not path.is_dir():
            if best:
                raise ConfigError(f"init_which: chooses within a run folder, but {path} is none; leave it out")
            return open_weights(path)
        folder = RunFolder(path)
        for checkpoint in [] if best else folder.checkpoints.intact():
            return checkpoint
        if best and folder.checkpoints.best.exists():
            return open_weights(folder.checkpoints.best)
        folder.saved_config()  # which tells if this is no run folder
        lacking = "no intact checkpoint; train it further first"
        if best:
            lacking = "no best checkpoint; train it with evaluate.every=500, or leave init_which=best out"
        raise CheckpointError(f"{path}: a run with {lacking}")
    except CheckpointError as error:
        raise type(error)(f"init_from: {error}") from error


def _refuse_other_model(source: Checkpoint | BareFile, config: TrainConfig) -> None:
    if isinstance(source, Checkpoint) and source.config.model.name != config.model.name:
        there, here = source.config.model.name, config.model.name
        raise ConfigError(
            f"init_from: {source.path} is of model={there}, and this run of model={here}, which has other layers; "
            f"take model={there}"
        )


def _differing(source: Checkpoint | BareFile, config: TrainConfig) -> str:
    """Return which keys of the model are others in the source's config; of a bare file, the first of its names."""
    if isinstance(source, BareFile):
        return f"; the first that it holds is {min(source.tensors, default='missing')}"
    there, here = (flatten(each.model.model_dump(mode="json"), "model.") for each in (source.config, config))
    told = [f"{key} ({there.get(key)} there, {here[key]} here)" for key in here if there.get(key) != here[key]]
    return f": {', '.join(told[:4])}" if told else "; the samples are of other shapes"


def _take(source: Checkpoint | BareFile, prefix: str, networks: list[nn.Module]) -> tuple[int, list[str]]:
    """Give networks of one kind the tensors that fit; return how many layers do, and what to report."""
    own, weights = networks[0].state_dict(), {name for name, _ in networks[0].named_parameters()}
    first = f"{prefix}."
    there = {name.removeprefix(first): entry for name, entry in source.tensors.items() if name.startswith(first)}
    fitting, reshaped = {}, []
    for name, tensor in own.items():
        dtype, shape, *_ = there.get(name, (None, None))
        if shape == list(tensor.shape) and (dtype in FLOATS) == tensor.is_floating_point():
            fitting[f"{first}{name}"] = name
        elif shape is not None:
            reshaped.append(f"{name} {list(tensor.shape)} (there {shape})")
    try:
        read = source.read(lambda name: name in fitting)
    except CheckpointError as error:
        raise type(error)(f"init_from: {error}") from error
    for network in networks:
        network.load_state_dict({fitting[name]: tensor for name, tensor in read.items()}, strict=False)
    matched = len(weights.intersection(fitting.values()))
    absent = [name for name in own if name not in there]
    told = [f"{matched:,} of {counted(len(weights), 'tensor')} matched"]
    for words, names in (("of another shape, so new", reshaped), ("not there, so new", absent)):
        if names:
            more = f" and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
            told.append(f"init    {words}: {', '.join(names[:LISTED])}{more}")
    return sum(own[name].dim() > 1 for name in weights.intersection(fitting.values())), told


def _told(source: Checkpoint | BareFile) -> str:
    step = f", step {source.header.step:,}" if isinstance(source, Checkpoint) else ""
    return f"begins with the weights of {source.path}{step}"
