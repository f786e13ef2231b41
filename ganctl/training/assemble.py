"""From a validated config and its data to the two players."""

import torch
from torch import nn

from ganctl.config import DeviceConfig, TrainConfig
from ganctl.data.batches import Batches
from ganctl.data.store import Store
from ganctl.models import Shape
from ganctl.models.ema import Ema
from ganctl.optim import PlayerName
from ganctl.runtime.device import Device, open_device
from ganctl.runtime.randomness import seeded
from ganctl.training.step import Game, Player, Term
from ganctl.training.watch import Watch


def open_configured(device: DeviceConfig, *, points: bool) -> Device:
    """Open the device that a config asks for, to compute points or pictures."""
    return open_device(device.name, device.precision, device.strict, device.threads, coarse=not points)


def build_game(config: TrainConfig, store: Store, device: Device) -> Game:
    """Return both players at step 0, on the device, initialised from the seed.

    Raises `ConfigError` if the model cannot make data of this shape.
    """
    generator = build_network(config, "generator", store.shape, device)
    discriminator = build_network(config, "discriminator", store.shape, device)
    loop = config.train
    ema = None
    if config.ema.half_life > 0:
        average = build_network(config, "generator", store.shape, device)
        ema = Ema(average, config.ema.half_life, config.ema.ramp)
    overflowing = frozenset({"gradient_norm"}) if device.precision == "fp16" else frozenset()
    return Game(
        generator=_player(config, "generator", generator, _generator_terms(config), loop.n_gen, device),
        discriminator=_player(
            config, "discriminator", discriminator, _discriminator_terms(config), loop.n_dis, device
        ),
        ema=ema,
        batches=Batches(
            store, loop.batch_size, config.seed, device.torch_device, device.dtype, config.model.picture_range
        ),
        device=device,
        watch=Watch(device.torch_device, overflowing),
        seed=config.seed,
        latent=config.model.latent,
        first=loop.first,
        accumulate=loop.accumulate,
        clip_norm=loop.clip_norm,
        clip_value=loop.clip_value,
    )


def build_network(config: TrainConfig, player: PlayerName, shape: Shape, device: Device) -> nn.Module:
    """Return one network on the device, in channels-last memory, initialised by a function of the seed."""
    build = config.model.build_generator if player == "generator" else config.model.build_discriminator
    with seeded(config.seed, "initialise", player):
        network: nn.Module = build(shape)
    network.to(device.torch_device, device.dtype)
    return network.to(memory_format=torch.channels_last)


def _player(
    config: TrainConfig, name: PlayerName, network: nn.Module, terms: list[Term], turns: int, device: Device
) -> Player:
    optimizer = config.optimizer.build(name, network.parameters())
    return Player(name, network, optimizer, terms, device.gradient_scaler(), turns)


def _discriminator_terms(config: TrainConfig) -> list[Term]:
    # Penalties first: the logits they differentiate are then those that the adversarial loss reads.
    penalties = [Term(key, penalty, penalty.weight, penalty.every) for key, penalty in config.penalty.items()]
    return [*penalties, Term("adversarial", config.loss.discriminator)]


def _generator_terms(config: TrainConfig) -> list[Term]:
    return [Term("adversarial", config.loss.generator)]
