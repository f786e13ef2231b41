"""Discriminators that are affine in pieces: losses and penalties by one backward, as by two."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ganctl.game.round import Networks, Round
from ganctl.game.step import Game, learn
from ganctl.models import MODELS
from ganctl.models.parts.piecewise import biased, intercepts, leaky_relu
from tests.game.games import round_of, small_game

PENALISED = ("loss=relativistic", "penalty=[r1,r2]", "penalty.r1.every=1", "device.precision=fp64")
AFFINE = [name for name in MODELS if MODELS[name].networks[1].affine_in_pieces]


def game_of(model: str, *words: str) -> Game:
    game = small_game(*PENALISED, *words, model=model)
    numbers = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in game.discriminator.parameters:
            weight.add_(torch.randn(weight.shape, generator=numbers, dtype=weight.dtype), alpha=0.1)
    return game


def gradients(game: Game, monkeypatch: pytest.MonkeyPatch) -> dict[str, Tensor]:
    """Return what an update of the discriminator hands to its optimizer, and the values of its terms."""
    found: dict[str, Tensor] = {}

    def apply(ranks: object) -> Tensor:
        found.update({name: weight.grad.clone() for name, weight in game.discriminator.learned.items()})  # type: ignore[union-attr]
        return torch.tensor(0.0)

    monkeypatch.setattr(game.discriminator, "apply_gradients", apply)
    update, _ = learn(game, next(iter(game.plans(0))))
    return found | update.values


def test_r3gan_is_affine_in_pieces() -> None:
    assert "r3gan" in AFFINE


@pytest.mark.parametrize("model", AFFINE)
@pytest.mark.parametrize(
    "words",
    [
        (),
        ("model.conditional=true",),
        ("train.pack=2",),
        ("augment=[ada]", "augment.ada.initial=0.8"),
        ("augment=[diffaugment]",),
        ("train.accumulate=2",),
        ("penalty=[r1]",),
    ],
)
def test_one_backward_gives_the_gradients_of_two(
    model: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    once = gradients(game_of(model, *words), monkeypatch)
    monkeypatch.setattr(Networks, "affine_in_pieces", False)
    twice = gradients(game_of(model, *words), monkeypatch)
    assert once.keys() == twice.keys()
    assert any(value.abs().max() > 1e-3 for value in once.values())
    for name, value in twice.items():
        torch.testing.assert_close(once[name], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("model", AFFINE)
def test_the_gradient_tells_the_logits(model: str) -> None:
    game = game_of(model)
    batch = round_of(game, "discriminator")
    shown = batch.real
    before = Round(game.networks, {"real": shown.detach()}).real_logits
    assert batch.real_gradient.shape == (len(shown), shown[0].numel())
    torch.testing.assert_close(batch.real_logits, before)
    moved = batch.real_logits.sum()
    assert moved.grad_fn is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Networks, "affine_in_pieces", False)
        plain = round_of(game, "discriminator")
        assert plain.real_gradient.shape == batch.real_gradient.shape
    weights = game.discriminator.parameters
    for one, two in zip(
        torch.autograd.grad(moved, weights), torch.autograd.grad(plain.real_logits.sum(), weights), strict=True
    ):
        torch.testing.assert_close(one, two)


class Convolutions(TorchDispatchMode):
    """Counts convolutions, and the gradients of their weights."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += func.overloadpacket in (torch.ops.aten.convolution, torch.ops.aten.convolution_backward)
        return func(*args, **(kwargs or {}))


def convolutions(monkeypatch: pytest.MonkeyPatch, *, affine: bool) -> int:
    """Return how many convolutions the discriminator's gradients take."""
    monkeypatch.setattr(Networks, "affine_in_pieces", affine)
    game = game_of("r3gan")
    plan = next(iter(game.plans(0)))
    feed = next(iter(plan.feeds))
    with torch.no_grad():
        fake = game.networks.generate(feed)
    with Convolutions() as counted:
        batch = Round(game.networks, feed, fake)
        terms = [term.compute(batch) for term in plan.due]
        torch.stack(terms).sum().backward(inputs=game.discriminator.parameters)
    return counted.calls


def test_an_update_takes_two_convolutions_less_a_layer_and_side(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = small_game(*PENALISED, model="r3gan").discriminator.network
    layers = sum(isinstance(module, torch.nn.Conv2d) for module in judge.modules())
    once, twice = (convolutions(monkeypatch, affine=affine) for affine in (True, False))
    assert once >= 4 * 2 * layers
    assert twice - once == 2 * 2 * layers


def test_outside_the_block_nothing_is_collected() -> None:
    maps, bias = torch.randn(2, 3, 4, 4, requires_grad=True), torch.randn(3)
    with intercepts() as found:
        inside = biased(maps + bias[:, None, None], bias)
    (inside.sum() + biased(maps + 1, bias).sum()).backward()
    assert found == []
    with intercepts() as found:
        torch.autograd.grad(biased(maps * 1, bias).sum(), maps, create_graph=True)
    (each,) = found
    torch.testing.assert_close(each, (16 * bias.sum()).expand(2))


def test_the_leaky_relu_has_torch_s_derivatives() -> None:
    maps = torch.randn(2, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.equal(leaky_relu(maps.clone(), 0.2), torch.nn.functional.leaky_relu(maps, 0.2))
    assert torch.autograd.gradcheck(lambda values: leaky_relu(values.clone(), 0.2), maps)
    assert torch.autograd.gradgradcheck(lambda values: leaky_relu(values.clone(), 0.2), maps)
