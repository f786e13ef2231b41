"""What usually helps a game that goes wrong, in keys of the config at hand."""

import math

from ganctl.config import TrainConfig
from ganctl.losses import LabelledLoss
from ganctl.optim import PlayerName
from ganctl.penalties import PenaltyTerm, WeightClipping

SMOOTHING = frozenset({"r1", "r2", "gradient_penalty", "dragan"})
"""The penalties that keep the discriminator's slope small."""


def of_a_discriminator_that_has_won(config: TrainConfig) -> list[str]:
    """Return what holds the discriminator back, or lets the generator catch up."""
    loop = config.train
    turns = f"train.n_dis={loop.n_dis - 1}" if loop.n_dis > 1 else f"train.n_gen={loop.n_gen + 1}"
    sure = isinstance(config.loss, LabelledLoss) and config.loss.label_smoothing == 0
    softer = ["loss.label_smoothing=0.1"] if sure else []
    return [*_slower(config), *_smoother(config), turns, *softer]


def of_a_discriminator_that_has_lost(config: TrainConfig) -> list[str]:
    """Return what lets the discriminator catch up."""
    loop = config.train
    turns = f"train.n_gen={loop.n_gen - 1}" if loop.n_gen > 1 else f"train.n_dis={loop.n_dis + 1}"
    weights = [f"penalty.{key}.weight below {weight:g}" for key, weight in _smoothing(config).items()]
    return [*_rate(config, "discriminator", "above"), *_rate(config, "generator", "below"), turns, *weights]


def of_a_vanishing_gradient(config: TrainConfig) -> list[str]:
    """Return what gives the generator a slope to go down."""
    if config.loss.critic:
        clipping = {key: each for key, each in config.penalty.items() if isinstance(each, WeightClipping)}
        limits = [f"penalty.{key}.limit above {each.limit:g}" for key, each in clipping.items()]
        other = [] if _smoothing(config) else ["loss=wgan_gp"]
        return [*limits, *other, *_rate(config, "generator", "above"), f"train.n_dis={config.train.n_dis + 1}"]
    loss = "loss=nonsaturating" if config.loss.name == "minimax" else "loss=wgan_gp"
    return [loss, *_smoother(config), *_slower(config)]


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


def _smoothing(config: TrainConfig) -> dict[str, float]:
    """Return the weights of the smoothing penalties, by key."""
    return {
        key: penalty.weight
        for key, penalty in config.penalty.items()
        if isinstance(penalty, PenaltyTerm) and penalty.name in SMOOTHING
    }


def _smoother(config: TrainConfig) -> list[str]:
    """Return advice that makes the discriminator smoother."""
    weights = _smoothing(config)
    if not weights:
        return [f"penalty=[{','.join([*config.penalty, 'r1'])}]"]
    return [f"penalty.{key}.weight above {weight:g}" for key, weight in weights.items()]
