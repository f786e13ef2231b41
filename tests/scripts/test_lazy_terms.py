"""scripts/tables/lazy.py: lazy terms in steps of their own."""

import pytest
import torch

from ganctl.checkpoints import state
from ganctl.game.step import train_step
from scripts.tables import lazy
from tests.game.games import small_games

SMALL = ("penalty=[r1]", "optimizer.betas=[0,0.99]")


def test_without_lazy_terms_both_conventions_are_one() -> None:
    plain, apart = small_games(2, *SMALL, "penalty.r1.every=1")
    lazy.rescale(apart)
    apart.replay = lazy.separate
    for step in range(3):
        for game in (plain, apart):
            train_step(game, step)
    other = state.tensors(apart)
    assert all(torch.equal(tensor, other[name]) for name, tensor in state.tensors(plain).items())


def test_lazy_terms_step_by_themselves_with_rescaled_rates() -> None:
    (game,) = small_games(1, *SMALL, "penalty.r1.every=4", "auxiliary=[path_length]", model="stylegan2")
    rate = game.discriminator.learning_rate
    lazy.rescale(game)
    game.replay = lazy.separate
    for step in range(5):
        train_step(game, step)
    assert game.discriminator.learning_rate == pytest.approx(rate * 4 / 5)
    assert game.discriminator.optimizer.param_groups[0]["betas"] == (0, pytest.approx(0.99**0.8))
    for player in (game.generator, game.discriminator):
        steps = {int(slots["step"]) for slots in player.optimizer.state.values()}
        assert max(steps) == 5 + 2, "two of the five updates have a lazy term"
