"""From a validated config to the parts of a game: networks, players and what these minimise."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from ganctl.config import TrainConfig
from ganctl.errors import ConfigError, SizeError
from ganctl.game.augmenter import Augmenter
from ganctl.game.players import Player, Term
from ganctl.game.round import Distribution, PlayerName, Surroundings
from ganctl.models.packed import build_discriminator
from ganctl.penalties import Constraint
from ganctl.registry import Component
from ganctl.runtime.device import Device
from ganctl.runtime.randomness import seeded
from ganctl.samples import SampleSpace
from ganctl.schedules import CONSTANT, Schedule
from ganctl.terms import LossTerm


def make_network(config: TrainConfig, player: PlayerName, space: SampleSpace) -> nn.Module:
    """Return one freshly initialised network for such samples.

    Raises `ConfigError` if the model cannot make or take them.
    """
    try:
        if player == "generator":
            return config.model.build_generator(space)
        discriminator = build_discriminator(config.model, space, config.train.pack)
        discriminator.freeze(config.model.discriminator.frozen)
        return discriminator
    except SizeError as error:
        near = " or ".join(map(str, error.sides))
        if "resolution" in type(config.data).model_fields:
            raise ConfigError(f"data.resolution: {error}; take {near}") from error
        raise ConfigError(f"model: {error}; resize the images to {near} pixels, or take model=mlp") from error


def build_network(config: TrainConfig, player: PlayerName, space: SampleSpace, device: Device) -> nn.Module:
    """Return one network on the device, in channels-last memory, initialised by a function of the seed."""
    with seeded(config.seed, "initialise", player):
        network = make_network(config, player, space)
    network.to(device.torch_device, device.dtype)
    return network.to(memory_format=torch.channels_last)


def assemble_player(
    config: TrainConfig, name: PlayerName, network: nn.Module, space: SampleSpace, device: Device
) -> Player:
    """Return a player at step 0.

    On device "meta" it only says what it would save: of its terms, none but those with a state are built.
    """
    surroundings = Surroundings(name, space, config.model.latents, device.torch_device, device.dtype, config.seed)
    generates = name == "generator"
    penalties = [] if generates else list(config.penalty.values())
    return Player(
        name=name,
        network=network,
        learning=config.optimizer,
        schedule=config.schedule.learning_rate.ending(config.train.steps),
        terms=_terms(config, name, surroundings),
        constraints=[penalty.constrain for penalty in penalties if isinstance(penalty, Constraint)],
        scaler=device.gradient_scaler(),
        updates=config.train.n_gen if generates else config.train.n_dis,
        clip_norm=config.train.clip_norm,
        clip_value=config.train.clip_value,
        augmenter=Augmenter() if generates else _augmenter(config, space, device),
    )


def _augmenter(config: TrainConfig, space: SampleSpace, device: Device) -> Augmenter:
    for name in config.augment:
        space.require_images(f"augment.{name}: changes images", "set augment=[]")
    images = config.train.batch_size * config.train.accumulate
    adapting = {
        name: augment.begin(images, device.torch_device)
        for name, augment in config.augment.items()
        if augment.adaptive
    }
    return Augmenter(config.augment, adapting, space.value_range)


def _terms(config: TrainConfig, name: PlayerName, surroundings: Surroundings) -> list[Term]:
    # The adversarial loss comes last: the logits that a penalty has differentiated are then those that it reads.
    loss, generates = config.loss, name == "generator"
    fading = config.schedule.penalty.ending(config.train.steps)
    chosen: list[tuple[str, Component, Schedule]] = []
    if not generates:
        chosen += [(key, penalty, fading) for key, penalty in config.penalty.items()]
    chosen += [(key, term, CONSTANT) for key, term in config.auxiliary.items() if name in term.players]
    terms = []
    for key, term, schedule in chosen:
        if isinstance(term, LossTerm):
            built: Any = None
            if surroundings.device.type != "meta" or term.stateful:
                built = term.build(surroundings)
            reads = _reads(term.reads_real, term.draws, latents=term.reads_latents)
            terms.append(Term(key, built, schedule, term.weight, term.every, reads))
    if generates:
        share = config.train.topk
        compute = loss.generator if share == 1 else lambda round: loss.generator(round.of_best(share))
        return [*terms, Term("adversarial", compute, CONSTANT, reads=_reads(loss.reads_real, {}))]
    return [*terms, Term("adversarial", loss.discriminator, CONSTANT, reads=_reads(True, loss.draws))]


def _reads(
    real: bool, draws: Mapping[str, Distribution], *, latents: bool = False
) -> Mapping[str, Distribution | None]:
    return {**({"real": None} if real else {}), **({"latents": None} if latents else {}), **draws}
