"""Optimizers: each player's settings reach torch."""

import pytest
import torch

from ganctl.optim import OPTIMIZERS
from tests.training.games import small_config, small_game


@pytest.mark.parametrize(
    ("words", "kind", "generator", "discriminator"),
    [
        (
            (
                "optimizer=adam",
                "optimizer.lr=1e-3",
                "optimizer.generator.betas=[0,0.9]",
                "optimizer.discriminator.eps=1e-6",
            ),
            torch.optim.Adam,
            {"lr": 1e-3, "betas": (0.0, 0.9), "eps": 1e-8, "weight_decay": 0.0},
            {"lr": 1e-3, "betas": (0.5, 0.99), "eps": 1e-6, "weight_decay": 0.0},
        ),
        (
            ("optimizer=sgd", "optimizer.momentum=0.9", "optimizer.discriminator.weight_decay=0.1"),
            torch.optim.SGD,
            {"lr": 1e-2, "momentum": 0.9, "weight_decay": 0.0},
            {"lr": 1e-2, "momentum": 0.9, "weight_decay": 0.1},
        ),
    ],
)
def test_settings_reach_each_players_optimizer(
    words: tuple[str, ...], kind: type, generator: dict[str, object], discriminator: dict[str, object]
) -> None:
    game = small_game(*words)
    for player, expected in ((game.generator, generator), (game.discriminator, discriminator)):
        assert type(player.optimizer) is kind
        (group,) = player.optimizer.param_groups
        assert {key: group[key] for key in expected} == expected


def test_whole_numbers_given_as_betas_reach_torch_as_floats() -> None:
    betas = small_config("optimizer.betas=[0,0.99]").optimizer.generator.betas
    assert betas == (0.0, 0.99)
    assert [type(beta) for beta in betas] == [float, float]


def test_every_optimizer_is_tested_here() -> None:
    assert set(OPTIMIZERS) == {"adam", "sgd"}
