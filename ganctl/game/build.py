"""From a validated config and its data to the two players."""

from collections.abc import Callable

import torch
from torch import nn

from ganctl.auxiliary import Surroundings
from ganctl.config import DeviceConfig, TrainConfig
from ganctl.data.batches import Batches
from ganctl.data.store import Store
from ganctl.errors import ConfigError
from ganctl.game.cuda_graphs import Captured, CudaGraphs
from ganctl.game.divergence import Watch
from ganctl.game.outline import check_memory, make_network
from ganctl.game.players import Player, Term
from ganctl.game.step import Game
from ganctl.models.ema import Ema
from ganctl.optim import PlayerName
from ganctl.penalties import Constraint, PenaltyTerm
from ganctl.runtime.device import Device, open_device
from ganctl.runtime.randomness import seeded
from ganctl.samples import Kind, SampleSpace
from ganctl.schedules import Schedule, ScheduleSpec


def open_configured(device: DeviceConfig, kind: Kind) -> Device:
    """Open the device that a config asks for, to compute samples of a kind."""
    return open_device(device.name, device.precision, device.strict, device.threads, coarse=kind.bears_bf16)


def build_game(config: TrainConfig, store: Store, device: Device) -> Game:
    """Return both players at step 0, on the device, initialised from the seed.

    Raises `ConfigError` if the model, or a term, cannot be had for data of this shape, or if what it needs
    does not fit into memory; that is found out before any of it is allocated. And if it is to be compiled for
    anything but CUDA.
    """
    if config.device.compile and device.torch_device.type != "cuda":
        raise ConfigError(
            f"device.compile: compiles for CUDA alone, not for {device.torch_device}; set it to false"
        )
    space = config.model.space(store.space)
    check_memory(config, space, device)
    loop = config.train
    ema = None
    if config.ema.half_life > 0:
        average = build_network(config, "generator", space, device)
        ema = Ema(average, config.ema.half_life, config.ema.ramp)
    overflowing = frozenset({"gradient_norm"}) if device.precision == "fp16" else frozenset()
    game = Game(
        generator=_player(config, "generator", space, device),
        discriminator=_player(config, "discriminator", space, device),
        ema=ema,
        ema_schedule=_schedule(config, config.schedule.ema),
        batches=Batches(store, loop.batch_size, config.seed, device.torch_device, device.dtype, space.value_range),
        device=device,
        watch=Watch(device.torch_device, overflowing),
        seed=config.seed,
        latent=config.model.latent,
        pack=config.train.pack,
        boundary=config.loss.boundary,
        first=loop.first,
        share_fakes=loop.share_fakes,
        accumulate=loop.accumulate,
        clip_norm=loop.clip_norm,
        clip_value=loop.clip_value,
    )
    if config.device.compile:
        compile_networks(game)
    elif config.device.graphs and device.torch_device.type == "cuda":
        game.captured = Captured(game, CudaGraphs(device.torch_device))
    return game


def compile_networks(game: Game) -> None:
    """Let torch compile the maps of both networks that a step computes, when it first does."""
    networks = (game.generator.network, game.discriminator.network)
    for network, maps in zip(networks, (["forward"], ["features", "logits"]), strict=True):
        for name in maps:
            setattr(network, name, torch.compile(getattr(network, name)))


def build_network(config: TrainConfig, player: PlayerName, space: SampleSpace, device: Device) -> nn.Module:
    """Return one network on the device, in channels-last memory, initialised by a function of the seed."""
    with seeded(config.seed, "initialise", player):
        network = make_network(config, player, space)
    network.to(device.torch_device, device.dtype)
    return network.to(memory_format=torch.channels_last)


def _player(config: TrainConfig, name: PlayerName, space: SampleSpace, device: Device) -> Player:
    network = build_network(config, name, space, device)
    generates = name == "generator"
    return Player(
        name=name,
        network=network,
        optimizer=config.optimizer.build(name, network.parameters()),
        schedule=_schedule(config, config.schedule.learning_rate),
        terms=_generator_terms(config, space, device) if generates else _discriminator_terms(config),
        constraints=[] if generates else _constraints(config),
        scaler=device.gradient_scaler(),
        turns=config.train.n_gen if generates else config.train.n_dis,
    )


def _discriminator_terms(config: TrainConfig) -> list[Term]:
    # Penalties first: the logits they differentiate are then those that the adversarial loss reads.
    schedule = _schedule(config, config.schedule.penalty)
    penalties = [
        Term(key, penalty, schedule, penalty.weight, penalty.every)
        for key, penalty in config.penalty.items()
        if isinstance(penalty, PenaltyTerm)
    ]
    return [*penalties, Term("adversarial", config.loss.discriminator, Schedule.constant())]


def _constraints(config: TrainConfig) -> list[Callable[[list[nn.Parameter]], None]]:
    return [penalty.constrain for penalty in config.penalty.values() if isinstance(penalty, Constraint)]


def _generator_terms(config: TrainConfig, space: SampleSpace, device: Device) -> list[Term]:
    surroundings = Surroundings(space, device.torch_device, device.dtype, config.seed)
    auxiliaries = [
        Term(key, auxiliary.build(surroundings), Schedule.constant(), auxiliary.weight, auxiliary.every)
        for key, auxiliary in config.auxiliary.items()
    ]
    return [*auxiliaries, Term("adversarial", config.loss.generator, Schedule.constant())]


def _schedule(config: TrainConfig, spec: ScheduleSpec) -> Schedule:
    return Schedule(spec, spec.until or config.train.steps)
