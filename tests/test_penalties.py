"""Each penalty against its closed form, and its gradient by the weights against finite differences."""

import pytest
import torch
from torch import Tensor, nn

from ganctl.models import Discriminator
from ganctl.penalties import PENALTIES, GradientPenalty
from ganctl.training.step import Round
from tests.training.games import small_game

FP64 = ("device.precision=fp64", "model.discriminator.activation=silu", "model.generator.activation=silu")
SETTINGS = {"r1": {}, "gradient_penalty": {"target": 1.0}}


class Quadratic(Discriminator):
    """D(x) = xᵀAx/2 + b·x, whose gradient is Ax + b for symmetric A."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.tensor([[2.0, 0.5], [0.5, -1.0]], dtype=torch.float64))
        self.vector = nn.Parameter(torch.tensor([0.3, -0.7], dtype=torch.float64))

    def forward(self, samples: Tensor) -> Tensor:
        return ((samples @ self.matrix) * samples).sum(1) / 2 + samples @ self.vector


def quadratic_round() -> tuple[Round, Quadratic]:
    game = small_game(*FP64, model="mlp", data="ring")
    quadratic = Quadratic()
    game.discriminator.network = quadratic
    game.generator.trainable(False)
    return Round(game, "discriminator", 0, 0), quadratic


def norms(quadratic: Quadratic, samples: Tensor) -> Tensor:
    return (samples @ quadratic.matrix + quadratic.vector).norm(dim=1)


def test_every_penalty_is_tested_here() -> None:
    assert set(SETTINGS) == set(PENALTIES)


def test_r1_is_half_the_mean_squared_gradient_norm_at_real_samples() -> None:
    judgement, quadratic = quadratic_round()
    expected = norms(quadratic, judgement.real.detach()).square().mean() / 2
    penalty = PENALTIES["r1"](name="r1", weight=1.0, every=1)
    torch.testing.assert_close(penalty(judgement), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_gradient_penalty_is_the_squared_distance_from_the_target_between_real_and_fake(target: float) -> None:
    judgement, quadratic = quadratic_round()
    share = judgement.uniform("interpolation")
    between = (1 - share) * judgement.real + share * judgement.fake
    expected = (norms(quadratic, between) - target).square().mean()
    penalty = GradientPenalty(name="gradient_penalty", weight=1.0, every=1, target=target)
    torch.testing.assert_close(penalty(judgement), expected, rtol=1e-10, atol=0)


def test_interpolation_draws_one_share_a_sample_between_zero_and_one() -> None:
    judgement = Round(small_game("train.batch_size=64"), "discriminator", 0, 0)
    share = judgement.uniform("interpolation")
    assert share.shape == (64, 1, 1, 1)
    assert 0 <= share.min() < 0.2
    assert 0.8 < share.max() < 1
    assert len(share.unique()) > 60


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(("model", "data"), [("mlp", "ring"), ("dcgan", "digits")])
def test_a_penaltys_gradient_by_the_weights_equals_finite_differences(name: str, model: str, data: str) -> None:
    norm = ("model.discriminator.norm=layer",) if model == "dcgan" else ()
    game = small_game(*FP64, *norm, model=model, data=data)
    game.generator.trainable(False)
    penalty = PENALTIES[name](name=name, weight=1.0, every=1, **SETTINGS[name])
    weights = game.discriminator.parameters
    torch.manual_seed(0)
    direction = [torch.randn_like(weight) for weight in weights]

    def value() -> Tensor:
        return penalty(Round(game, "discriminator", 0, 0))

    gradients = torch.autograd.grad(value(), weights, allow_unused=True)
    exact = sum(
        (gradient * along).sum()
        for gradient, along in zip(gradients, direction, strict=True)
        if gradient is not None
    )
    step = 1e-6

    def moved(scale: float) -> Tensor:
        with torch.no_grad():
            for weight, along in zip(weights, direction, strict=True):
                weight.add_(along, alpha=scale)
        return value().detach()

    above, below = moved(step), moved(-2 * step)
    torch.testing.assert_close((above - below) / (2 * step), torch.as_tensor(exact).detach(), rtol=1e-6, atol=1e-9)
