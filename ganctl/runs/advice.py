"""What usually helps a game that goes wrong, in keys of the config at hand."""

import math
from typing import Literal

from ganctl.config import TrainConfig
from ganctl.game.round import PlayerName


def of_a_discriminator_that_has_won(config: TrainConfig) -> list[str]:
    """Return what holds the discriminator back, or lets the generator catch up."""
    loop = config.train
    updates = f"train.n_dis={loop.n_dis - 1}" if loop.n_dis > 1 else f"train.n_gen={loop.n_gen + 1}"
    key = config.loss.softened_by
    softer = [f"loss.{key}=0.1"] if key is not None and getattr(config.loss, key) == 0 else []
    return [*_slower(config), *_smoother(config), updates, *softer]


def of_a_discriminator_that_has_lost(config: TrainConfig) -> list[str]:
    """Return what lets the discriminator catch up."""
    loop = config.train
    updates = f"train.n_gen={loop.n_gen - 1}" if loop.n_gen > 1 else f"train.n_dis={loop.n_dis + 1}"
    rates = [*_rate(config, "discriminator", "above"), *_rate(config, "generator", "below")]
    return [*rates, updates, *_penalties(config, "smoothed_by", "below")]


def of_a_vanishing_gradient(config: TrainConfig) -> list[str]:
    """Return what gives the generator a slope to go down."""
    if not config.loss.critic:
        loss = "loss=nonsaturating" if config.loss.saturates else "loss=wgan_gp"
        return [loss, *_smoother(config), *_slower(config)]
    other = [] if _penalties(config, "smoothed_by", "above") else ["loss=wgan_gp"]
    looser, rate = _penalties(config, "loosened_by", "above"), _rate(config, "generator", "above")
    return [*looser, *other, *rate, f"train.n_dis={config.train.n_dis + 1}"]


def of_samples_that_are_alike(config: TrainConfig) -> list[str]:
    """Return what lets the discriminator see it, and keeps the players in step."""
    pack, size = 2 * config.train.pack, config.train.batch_size
    packs = [f"train.pack={pack}"] if size > pack and size % pack == 0 else []
    ahead = _rate_of(config, "generator") >= _rate_of(config, "discriminator")
    rate = _rate(config, "generator", "below" if ahead else "above")
    return [*_smoother(config), *packs, *rate, f"train.batch_size={2 * size}"]


def _slower(config: TrainConfig) -> list[str]:
    """Return advice that slows the player who learns faster, the discriminator where both learn alike."""
    ahead = _rate_of(config, "generator") > _rate_of(config, "discriminator")
    return _rate(config, "generator" if ahead else "discriminator", "below")


def _rate(config: TrainConfig, player: PlayerName, way: str) -> list[str]:
    """Return advice on a player's learning rate; none where an optimizer of the user's own has no such key."""
    rate = _rate_of(config, player)
    return [] if math.isnan(rate) else [f"optimizer.{player}.lr {way} {rate:g}"]


def _rate_of(config: TrainConfig, player: PlayerName) -> float:
    return float(getattr(getattr(config.optimizer, player, None), "lr", math.nan))


def _smoother(config: TrainConfig) -> list[str]:
    """Return advice that makes the discriminator smoother."""
    return _penalties(config, "smoothed_by", "above") or [f"penalty=[{','.join([*config.penalty, 'r1'])}]"]


def _penalties(config: TrainConfig, trait: Literal["smoothed_by", "loosened_by"], way: str) -> list[str]:
    """Return advice on the key of each penalty that has such a trait."""
    keys = {key: getattr(penalty, trait) for key, penalty in config.penalty.items()}
    return [
        f"penalty.{key}.{name} {way} {getattr(config.penalty[key], name):g}"
        for key, name in keys.items()
        if name is not None
    ]
