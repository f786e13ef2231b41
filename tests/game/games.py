"""Small games for tests: real configs, few weights."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from ganctl.config import TrainConfig, train_config
from ganctl.game.build import build_game, open_configured
from ganctl.game.players import Player
from ganctl.game.round import Distribution, PlayerName, Round
from ganctl.game.step import Game, learn
from scripts.soaks.configs import small_words
from tests.composed import composed


def small_config(*overrides: str, model: str = "dcgan", data: str = "digits", **more: Any) -> TrainConfig:
    """Return the config that `small_words` compose to; `more` replaces whole groups of it."""
    return train_config(composed(*small_words(*overrides, model=model, data=data)) | more)


def small_game(*overrides: str, model: str = "dcgan", data: str = "digits") -> Game:
    """Return a game of a small model at step 0."""
    (game,) = small_games(1, *overrides, model=model, data=data)
    return game


def small_games(count: int, *overrides: str, model: str = "dcgan", data: str = "digits") -> list[Game]:
    """Return so many equal games, whose config is composed once, and whose size is measured once."""
    config = small_config(*overrides, model=model, data=data)
    device = open_configured(config.device, config.data.kind)
    store = config.data.load()
    games = [build_game(config, store, device)]
    with patch("ganctl.game.build.check_memory"):
        return games + [build_game(config, store, device) for _ in range(count - 1)]


def round_of(game: Game, player: PlayerName, number: int = 0, **draws: Distribution) -> Round:
    """Return the first batch of a player's update, fed with real samples and other draws."""
    feed = dict(next(game.draws.feeds(player, number, {"real": None, **draws})))
    latents = game.draws.latents_of(player, number)[: game.draws.batch_size]
    return Round(game.networks, {"latents": latents, **feed})


def update(game: Game, player: Player, step: int = 0) -> None:
    """Make a player's first update of a step alone."""
    plan = next(plan for plan in game.plans(step) if plan.player is player)
    shared = None
    if player is game.generator:
        player.trainable(True)
        with game.device.autocast():
            shared = game.networks.generate({"latents": game.draws.latents_of("generator", step * player.updates)})
    player.note(learn(game, plan, shared)[0])


def assert_slope(value: Callable[[], Tensor], weight: torch.nn.Parameter) -> None:
    """Assert that the gradient at a weight is the slope between two points near it."""
    (gradient,) = torch.autograd.grad(value(), weight)
    direction, size = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)).double(), 1e-6
    moved = []
    for share in (size, -2 * size):
        with torch.no_grad():
            weight.add_(direction, alpha=share)
        moved.append(value().item())
    assert (moved[0] - moved[1]) / (2 * size) == pytest.approx((gradient * direction).sum().item(), rel=1e-4)
