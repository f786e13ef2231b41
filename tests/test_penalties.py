"""Each penalty against its closed form, and its gradient by the weights against finite differences."""

from itertools import product
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from ganctl.game.round import Round
from ganctl.game.step import train_step
from ganctl.models import Discriminator
from ganctl.penalties import PENALTIES, Constraint, PenaltyTerm, WeightClipping
from tests.game.games import round_of, small_game, update

FP64 = ("device.precision=fp64", "model.discriminator.activation=silu", "model.generator.activation=silu")
SETTINGS = {
    "r1": {},
    "r2": {},
    "gradient_penalty": {"target": 1.0},
    "dragan": {"target": 1.0, "noise": 0.5},
    "orthogonal": {},
}


class Quadratic(Discriminator):
    """D(x) = xᵀAx/2 + b·x on packs as one vector, whose gradient is Ax + b for symmetric A."""

    def __init__(self, pack: int) -> None:
        super().__init__()
        numbers = torch.Generator().manual_seed(0)
        root = torch.randn(2 * pack, 2 * pack, generator=numbers, dtype=torch.float64)
        self.matrix = nn.Parameter(root + root.T)
        self.vector = nn.Parameter(torch.randn(2 * pack, generator=numbers, dtype=torch.float64))

    def features(self, samples: Tensor) -> Tensor:
        return samples.reshape(-1, len(self.vector))

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        return ((features @ self.matrix) * features).sum(1) / 2 + features @ self.vector


def quadratic_round(pack: int = 1) -> tuple[Round, Quadratic]:
    game = small_game(*FP64, f"train.pack={pack}", model="mlp", data="ring")
    quadratic = Quadratic(pack)
    game.discriminator.network = quadratic
    game.generator.trainable(False)
    return round_of(game, "discriminator", interpolation="uniform", perturbation="normal"), quadratic


def norms(quadratic: Quadratic, samples: Tensor) -> Tensor:
    return (quadratic.features(samples.detach()) @ quadratic.matrix + quadratic.vector).norm(dim=1)


def penalty_of(name: str, **settings: float) -> PenaltyTerm:
    penalty = PENALTIES[name](name=name, weight=1.0, every=1, **SETTINGS[name] | settings)
    assert isinstance(penalty, PenaltyTerm)
    return penalty


def test_every_penalty_term_is_tested_here() -> None:
    assert set(SETTINGS) == {name for name in PENALTIES if issubclass(PENALTIES[name], PenaltyTerm)}
    assert {name for name in PENALTIES if issubclass(PENALTIES[name], Constraint)} == {"weight_clipping"}


@pytest.mark.parametrize("pack", [1, 2, 4])
@pytest.mark.parametrize(("name", "side"), [("r1", "real"), ("r2", "fake")])
def test_r1_and_r2_are_half_the_mean_squared_gradient_norm_on_their_side(name: str, side: str, pack: int) -> None:
    judgement, quadratic = quadratic_round(pack)
    expected = norms(quadratic, getattr(judgement, side)).square().mean() / 2
    torch.testing.assert_close(penalty_of(name)(judgement), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("target", "pack"), [*product([0.0, 1.0], [1, 2, 4])])
def test_gradient_penalty_is_the_squared_distance_from_the_target_between_real_and_fake(
    target: float, pack: int
) -> None:
    judgement, quadratic = quadratic_round(pack)
    share = judgement.uniform("interpolation").repeat_interleave(pack)[:, None]
    between = (1 - share) * judgement.real + share * judgement.fake
    expected = (norms(quadratic, between) - target).square().mean()
    penalty = penalty_of("gradient_penalty", target=target)
    torch.testing.assert_close(penalty(judgement), expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize(("target", "pack", "noise"), [(0.0, 1, 0.5), (1.0, 2, 0.5), (1.0, 1, 3.0)])
def test_dragan_is_the_squared_distance_from_the_target_near_real(target: float, pack: int, noise: float) -> None:
    judgement, quadratic = quadratic_round(pack)
    values = judgement.real.flatten()
    spread = ((values - values.mean()).square().sum() / (len(values) - 1)).sqrt()
    around = judgement.real + noise * spread * judgement.noise("perturbation")
    expected = (norms(quadratic, around) - target).square().mean()
    penalty = penalty_of("dragan", target=target, noise=noise)
    torch.testing.assert_close(penalty(judgement), expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize(("pack", "count"), [(1, 64), (4, 16)])
def test_interpolation_draws_one_share_a_logit_between_zero_and_one(pack: int, count: int) -> None:
    judgement = round_of(
        small_game("train.batch_size=64", f"train.pack={pack}"), "discriminator", 0, interpolation="uniform"
    )
    share = judgement.uniform("interpolation")
    assert share.shape == (count,)
    assert 0 <= share.min() < 0.2
    assert 0.8 < share.max() < 1
    assert len(share.unique()) > 0.9 * count


def test_noise_is_standard_normal_in_the_shape_of_samples_and_another_at_each_turn() -> None:
    game = small_game("train.batch_size=64")
    first, again, later = (
        round_of(game, "discriminator", number, perturbation="normal").noise("perturbation")
        for number in (0, 0, 1)
    )
    assert first.shape == (64, 1, 8, 8)
    assert first.mean().item() == pytest.approx(0, abs=0.06)
    assert first.std().item() == pytest.approx(1, abs=0.05)
    assert torch.equal(first, again)
    assert not torch.equal(first, later)


def test_orthogonal_sums_the_squared_products_of_different_rows() -> None:
    rows = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 4.0]], dtype=torch.float64)
    products = {(0, 1): 1.0, (0, 2): 8.0, (1, 2): -4.0}
    expected = 2 * sum(value**2 for value in products.values())
    kernels = rows.reshape(3, 1, 1, 2)
    assert penalty_of("orthogonal")(SimpleNamespace(weights=[rows])).item() == pytest.approx(expected)
    assert penalty_of("orthogonal")(SimpleNamespace(weights=[rows, kernels])).item() == pytest.approx(2 * expected)


def test_orthogonal_rows_of_any_length_and_single_rows_are_free() -> None:
    right_angles = torch.tensor([[3.0, 0.0, 0.0], [0.0, 0.0, 1e-3], [0.0, -40.0, 0.0]])
    assert penalty_of("orthogonal")(SimpleNamespace(weights=[right_angles, torch.ones(1, 9)])).item() == 0


@pytest.mark.parametrize("norm", ["batch", "spectral"])
def test_orthogonal_sees_the_weights_that_are_trained_but_no_biases_and_scales(norm: str) -> None:
    game = small_game(f"model.discriminator.norm={norm}")
    weights = round_of(game, "discriminator").weights
    trained = dict(game.discriminator.network.named_parameters())
    expected = [name for name, weight in trained.items() if weight.dim() == 4]
    assert len(expected) == 2
    assert [name for name, weight in trained.items() if any(weight is seen for seen in weights)] == expected


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_orthogonal_is_computed_in_full_precision(precision: str) -> None:
    rows = torch.nn.functional.normalize(torch.randn(16, 64, generator=torch.Generator().manual_seed(0)), dim=1)
    penalty = penalty_of("orthogonal")
    with small_game(f"device.precision={precision}").device.autocast():
        mixed = penalty(SimpleNamespace(weights=[rows]))
    torch.testing.assert_close(mixed, penalty(SimpleNamespace(weights=[rows])), rtol=0, atol=0)


CLIPPED = ("penalty=[weight_clipping]", "penalty.weight_clipping.limit=0.02", "optimizer.lr=1e-2")


@pytest.mark.parametrize(
    ("model", "data", "precision"),
    [
        ("mlp", "ring", "fp32"),
        ("dcgan", "digits", "fp32"),
        ("dcgan", "digits", "bf16"),
        ("dcgan", "digits", "fp16"),
    ],
)
def test_clipped_weights_lie_in_the_interval_after_each_update(model: str, data: str, precision: str) -> None:
    game = small_game(*CLIPPED, f"device.precision={precision}", model=model, data=data)
    layouts = [weight.stride() for weight in game.discriminator.parameters]
    for step in range(3):
        train_step(game, step)
        assert all(weight.abs().max() <= 0.02 for weight in game.discriminator.parameters)
    assert any((weight.abs() < 0.02).any() for weight in game.discriminator.parameters)
    assert max(weight.abs().max() for weight in game.generator.parameters) > 0.02
    assert [weight.stride() for weight in game.discriminator.parameters] == layouts


def test_weights_inside_the_interval_are_as_without_clipping() -> None:
    clipped, free = small_game(*CLIPPED), small_game("optimizer.lr=1e-2")
    for game in (clipped, free):
        update(game, game.discriminator)
    for ours, theirs in zip(clipped.discriminator.parameters, free.discriminator.parameters, strict=True):
        assert torch.equal(ours, theirs.clamp(-0.02, 0.02))


def test_a_generators_update_leaves_the_critics_weights_unclipped() -> None:
    game = small_game(*CLIPPED)
    before = [weight.detach().clone() for weight in game.discriminator.parameters]
    update(game, game.generator)
    assert all(torch.equal(old, new) for old, new in zip(before, game.discriminator.parameters, strict=True))
    assert max(weight.abs().max() for weight in before) > 0.02


def test_clipping_moves_a_weight_to_its_nearer_end() -> None:
    weight = nn.Parameter(torch.tensor([[-3.0, -0.5], [0.5, 3.0]]))
    WeightClipping(name="weight_clipping", limit=1.0).constrain([weight])
    assert weight.tolist() == [[-1.0, -0.5], [0.5, 1.0]]
    assert weight.requires_grad


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(("model", "data"), [("mlp", "ring"), ("dcgan", "digits")])
def test_a_penaltys_gradient_by_the_weights_equals_finite_differences(name: str, model: str, data: str) -> None:
    norm = ("model.discriminator.norm=layer",) if model == "dcgan" else ()
    game = small_game(*FP64, *norm, model=model, data=data)
    game.generator.trainable(False)
    penalty = penalty_of(name)
    weights = game.discriminator.parameters
    torch.manual_seed(0)
    direction = [torch.randn_like(weight) for weight in weights]

    def value() -> Tensor:
        return penalty(round_of(game, "discriminator", 0, **penalty.draws))

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
