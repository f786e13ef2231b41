"""Optimizers: each player's settings reach torch."""

import pytest
import torch

from ganctl.optim import OPTIMIZERS
from tests.game.games import small_config, small_game


@pytest.mark.parametrize(
    ("words", "kind", "generator", "discriminator"),
    [
        (
            (
                "optimizer=adam",
                "optimizer.lr=1e-3",
                "optimizer.generator.betas=[0.5,0.9]",
                "optimizer.discriminator.eps=1e-6",
            ),
            torch.optim.Adam,
            {"lr": 1e-3, "betas": (0.5, 0.9), "eps": 1e-8, "weight_decay": 0.0},
            {"lr": 1e-3, "betas": (0.0, 0.99), "eps": 1e-6, "weight_decay": 0.0},
        ),
        (
            ("optimizer=sgd", "optimizer.momentum=0.9", "optimizer.discriminator.weight_decay=0.1"),
            torch.optim.SGD,
            {"lr": 1e-2, "momentum": 0.9, "weight_decay": 0.0},
            {"lr": 1e-2, "momentum": 0.9, "weight_decay": 0.1},
        ),
        (
            (
                "optimizer=adamw",
                "optimizer.generator.weight_decay=0.1",
                "optimizer.discriminator.betas=[0.9,0.999]",
            ),
            torch.optim.AdamW,
            {"lr": 4e-4, "betas": (0.0, 0.99), "eps": 1e-8, "weight_decay": 0.1},
            {"lr": 4e-4, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
        ),
        (
            ("optimizer=rmsprop", "optimizer.lr=5e-5", "optimizer.generator.alpha=0.9", "optimizer.momentum=0.5"),
            torch.optim.RMSprop,
            {"lr": 5e-5, "alpha": 0.9, "eps": 1e-8, "momentum": 0.5, "weight_decay": 0.0, "centered": False},
            {"lr": 5e-5, "alpha": 0.99, "eps": 1e-8, "momentum": 0.5, "weight_decay": 0.0, "centered": False},
        ),
    ],
)
def test_settings_reach_each_players_optimizer(
    words: tuple[str, ...], kind: type, generator: dict[str, object], discriminator: dict[str, object]
) -> None:
    game = small_game(*words)
    for player, expected in ((game.generator, generator), (game.discriminator, discriminator)):
        assert isinstance(player.optimizer, kind)
        (group,) = player.optimizer.param_groups
        assert {key: group[key] for key in expected} == expected


def test_whole_numbers_given_as_betas_reach_torch_as_floats() -> None:
    betas = small_config("optimizer.betas=[0,0.99]").optimizer.generator.betas
    assert betas == (0.0, 0.99)
    assert [type(beta) for beta in betas] == [float, float]


def test_every_optimizer_is_tested_here() -> None:
    assert set(OPTIMIZERS) == {"adam", "adamw", "rmsprop", "sgd"}


def test_weight_decay_of_adamw_shrinks_weights_by_a_share_and_that_of_adam_moves_the_gradient() -> None:
    decayed = {}
    for name in ("adam", "adamw"):
        weight = torch.nn.Parameter(torch.tensor([2.0]))
        optimizer = small_config(f"optimizer={name}", "optimizer.weight_decay=0.5", "optimizer.lr=0.1").optimizer
        step = optimizer.build("generator", [weight])
        weight.grad = torch.zeros(1)
        step.step()
        decayed[name] = weight.item()
    assert decayed["adamw"] == pytest.approx(2 * (1 - 0.1 * 0.5))
    assert decayed["adam"] == pytest.approx(2 - 0.1)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_the_fused_step_is_torchs_plain_one_but_for_rounding(name: str) -> None:
    family = small_config(f"optimizer={name}", "optimizer.weight_decay=0.1").optimizer
    settings = family.generator.model_dump()
    first = torch.randn(7, 5, dtype=torch.float64)
    weights = [torch.nn.Parameter(first.clone()) for _ in range(2)]
    fused = family.build("generator", weights[:1])
    plain = getattr(torch.optim, type(family).kind.__name__)(weights[1:], **settings, fused=False)
    assert fused.param_groups[0]["fused"]
    for _ in range(20):
        for weight, optimizer in zip(weights, (fused, plain), strict=True):
            optimizer.zero_grad()
            weight.sin().sum().backward()
            optimizer.step()
    assert not torch.allclose(weights[0], first)
    torch.testing.assert_close(weights[0], weights[1], rtol=1e-9, atol=1e-12)
