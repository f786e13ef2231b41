"""From a validated config and its data to the game."""

import os

import torch

from ganctl.config import DeviceConfig, TrainConfig
from ganctl.data.batches import Batches
from ganctl.data.store import Store
from ganctl.errors import ConfigError
from ganctl.game.assemble import assemble_player, build_network
from ganctl.game.augmenter import Augmenter
from ganctl.game.cuda_graphs import CudaGraphs, Replay
from ganctl.game.divergence import Divergence
from ganctl.game.draws import Draws
from ganctl.game.outline import check_memory
from ganctl.game.players import Player
from ganctl.game.round import PlayerName
from ganctl.game.step import Game
from ganctl.models.ema import Ema
from ganctl.models.parts.batch_norm import synchronise
from ganctl.processes.ranks import Ranks
from ganctl.runtime.device import Device, open_device
from ganctl.samples import Kind

MOST_LETTERS = 1_000_000
"""Of the names of all classes: in a checkpoint's header, a letter takes 6 bytes at most."""


def open_configured(device: DeviceConfig, kind: Kind) -> Device:
    """Open the device that a config asks for, to compute samples of a kind; each process of a node its own."""
    name = device.name
    if name in ("auto", "cuda") and torch.cuda.is_available() and Ranks.here().world > 1:
        name = f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
    return open_device(name, device.precision, device.strict, device.threads, coarse=kind.bears_bf16)


def build_game(config: TrainConfig, store: Store, device: Device) -> Game:
    """Return both players at step 0, on the device, initialised from the seed.

    Raises `ConfigError` if the model, or a term, cannot be had for data of this shape, if what it needs does not
    fit into memory (before any of it is allocated), or if it is to be compiled for anything but CUDA.
    """
    cuda = device.torch_device.type == "cuda"
    if config.device.compile and not cuda:
        raise ConfigError(
            f"device.compile: compiles for CUDA alone, not for {device.torch_device}; set it to false"
        )
    if config.model.conditional:
        _check_classes(store)
    space = config.model.space(store.space)
    check_memory(config, space, device)

    def player(name: PlayerName) -> Player:
        network = build_network(config, name, space, device)
        return assemble_player(config, name, network, space, device)

    generator, ema = player("generator"), None
    if config.ema.half_life > 0:
        average = build_network(config, "generator", space, device)
        ema = Ema(average, generator.network, config.ema.half_life, config.ema.ramp)
    discriminator = player("discriminator")
    if config.device.sync_batch_norm:
        for network in (generator.network, discriminator.network):
            synchronise(network, Ranks.here())
    game = Game(
        generator=generator,
        discriminator=discriminator,
        ema=ema,
        ema_schedule=config.schedule.ema.ending(config.train.steps),
        draws=_draws(config, store, device, discriminator.augmenter),
        device=device,
        divergence=Divergence(
            device.torch_device, frozenset({"gradient_norm"} if device.precision == "fp16" else ())
        ),
        first=config.train.first,
    )
    if config.device.compile:
        _compile_networks(game)
    elif config.device.graphs and cuda:
        game.replay = Replay(CudaGraphs(device.torch_device), (game.generator, game.discriminator))
    return game


def _check_classes(store: Store) -> None:
    """Raise `ConfigError` for data without classes, and for more names than a checkpoint's header takes."""
    if store.labels is None:
        reason = f" ({store.without_labels})" if store.without_labels else ""
        raise ConfigError(f"model.conditional: the data has no classes{reason}; set it to false")
    letters = sum(map(len, store.classes))
    if letters > MOST_LETTERS:
        raise ConfigError(
            f"model.conditional: the names of {len(store.classes):,} classes have {letters:,} letters, and a "
            f"checkpoint has room for {MOST_LETTERS:,}; give them shorter names, or merge classes"
        )


def _draws(config: TrainConfig, store: Store, device: Device, augmenter: Augmenter) -> Draws:
    loop, where = config.train, (device.torch_device, device.dtype)
    ranks = Ranks.here()
    batches = Batches(
        store,
        loop.batch_size,
        config.seed,
        *where,
        config.model.value_range,
        balance=config.data.balanced,
        rank=ranks.rank,
        world=ranks.world,
    )
    return Draws(
        batches=batches,
        device=device,
        seed=config.seed,
        space=config.model.latents,
        conditional=config.model.conditional,
        pack=config.train.pack,
        accumulate=loop.accumulate,
        updates={"generator": loop.n_gen, "discriminator": loop.n_dis},
        share=loop.share_fakes and loop.first == "discriminator",
        ranks=ranks,
        augmenter=augmenter,
    )


def _compile_networks(game: Game) -> None:
    """Let torch compile the maps of both networks that a step computes, when it first does."""
    networks = (game.generator.network, game.discriminator.network)
    for network, maps in zip(networks, (["forward"], ["features", "logits"]), strict=True):
        for name in maps:
            setattr(network, name, torch.compile(getattr(network, name)))
