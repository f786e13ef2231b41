"""Losses and penalties against the values and gradients of mimicry and PyTorch-StudioGAN."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from ganctl.game.round import Networks, Round
from ganctl.losses import LOSSES, LabelledLoss, Loss
from ganctl.models import Discriminator
from ganctl.penalties import PENALTIES, PenaltyTerm
from ganctl.runtime.device import open_device
from tests.reference.vectors import GRADIENTS, Case, read

MIMICRY = {
    "hinge_d": ("hinge", "discriminator"),
    "hinge_g": ("hinge", "generator"),
    "minimax_d": ("minimax", "discriminator"),
    "minimax_g": ("nonsaturating", "generator"),  # so in their code, whatever its name
    "ns_g": ("nonsaturating", "generator"),
    "wasserstein_d": ("wgan", "discriminator"),
    "wasserstein_g": ("wgan", "generator"),
}
STUDIOGAN = {
    "d_hinge": ("hinge", "discriminator"),
    "g_hinge": ("hinge", "generator"),
    "d_logistic": ("nonsaturating", "discriminator"),
    "g_logistic": ("nonsaturating", "generator"),
    "d_ls": ("lsgan", "discriminator"),
    "g_ls": ("lsgan", "generator"),
    "d_vanilla": ("minimax", "discriminator"),
    "g_vanilla": ("nonsaturating", "generator"),  # likewise
    "d_wasserstein": ("wgan", "discriminator"),
    "g_wasserstein": ("wgan", "generator"),
}


def loss_of(name: str) -> Loss:
    plain = {"label_smoothing": 0.0, "label_noise": 0.0} if issubclass(LOSSES[name], LabelledLoss) else {}
    return LOSSES[name](name=name, **plain)


def losses(case: Case, table: dict[str, tuple[str, str]], further: Callable[..., dict[str, Tensor]]) -> None:
    """Assert that values, and the gradients of the weighted sum with `further` ones by formula, are the file's."""
    real, fake = (case[f"in.{side}"].clone().requires_grad_() for side in ("real", "fake"))
    logits: Any = SimpleNamespace(real_logits=real.flatten(), fake_logits=fake.flatten())
    values = {key: getattr(loss_of(name), player)(logits) for key, (name, player) in table.items()}
    values |= further(real, fake)
    for key, value in values.items():
        case.check(f"out.{key}", value)
    case.scalar(values).backward()
    assert real.grad is not None
    assert fake.grad is not None
    case.check("grad.in.real", real.grad, GRADIENTS)
    case.check("grad.in.fake", fake.grad, GRADIENTS)


def test_losses_are_studiogans() -> None:
    case = read("studiogan_losses")

    def lecam(real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        # Not among ganctl's terms; the gradients of the sum hold it.
        value = relu(real + 0.3).square().mean() + relu(0.4 - fake).square().mean()
        return {"lecam_reg_emaDreal0.4_emaDfake-0.3": value}

    losses(case, STUDIOGAN, lecam)


def test_losses_are_mimicrys() -> None:
    # Its ns_g adds 1e-8 to the probability before the logarithm, against log 0, which softplus does not meet.
    def shifted(real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        return {"ns_g": -(fake.sigmoid() + 1e-8).log().mean()}

    case = read("mimicry_losses")
    losses(case, {key: each for key, each in MIMICRY.items() if key != "ns_g"}, shifted)
    logits: Any = SimpleNamespace(fake_logits=case["in.fake"].flatten())
    assert loss_of("nonsaturating").generator(logits).item() == pytest.approx(case["out.ns_g"].item(), abs=1e-7)


class Judge(Discriminator):
    """The discriminator of the file: b(tanh(a(x)))."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(192, 6), nn.Linear(6, 1)

    def features(self, samples: Tensor) -> Tensor:
        return self.a(samples.flatten(1)).tanh()

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        return self.b(features).flatten()


def penalty_of(name: str, **settings: float) -> PenaltyTerm:
    penalty = PENALTIES[name](name=name, weight=1.0, every=1, **settings)
    assert isinstance(penalty, PenaltyTerm)
    return penalty


def test_penalties_are_studiogans() -> None:
    case, judge = read("studiogan_penalties"), Judge()
    case.load(judge, {})
    draws, real, fake = case.under("draw."), case["in.real"], case["in.fake"]
    device = open_device("cpu", "fp64", False, 1)
    feed = {
        "real": real.clone(),
        "interpolation": 1 - draws["00_rand"].flatten(),  # the share of the fake sample; theirs is the real one's
        # Theirs multiplies the noise of each sample by a uniform number; in the paper and here δ is normal.
        "perturbation": draws["01_rand"] * draws["02_rand"],
    }
    round = Round(Networks(nn.Identity(), judge, device), feed, fake)
    values = {
        "wgan_gp": penalty_of("gradient_penalty", target=1.0)(round),
        "dragan": penalty_of("dragan", target=1.0, noise=0.5)(round),
        "r1": penalty_of("r1")(round),
        # Not among ganctl's penalties; the gradients of the sum hold it.
        "maxgp": round.gradient_at(real.lerp(fake, 1 - draws["03_rand"][:, :, None, None])).square().sum(1).max(),
    }
    for key, value in values.items():
        case.check(f"out.{key}", value, GRADIENTS)
    case.scalar(values).backward()
    judge.b.bias.grad = torch.zeros(1).double()  # no penalty reads it
    assert case.check_gradients(judge, {}) == {"b.bias"}


def test_the_orthogonal_penaltys_gradient_is_twice_what_studiogan_adds() -> None:
    # Its code has no loss: it adds 2·strength·(WWᵀ ⊙ (1 − I))W, half the gradient of the squared norm.
    case, strength = read("studiogan_orthogonal"), 0.01
    weights = {name: case[f"w.{name}.weight"].clone().requires_grad_() for name in "023"}  # 1 and 4 are left out
    round: Any = SimpleNamespace(weights=list(weights.values()))
    (strength / 2 * penalty_of("orthogonal")(round)).backward()
    for name, weight in weights.items():
        assert weight.grad is not None
        case.check(f"grad_added.{name}.weight", weight.grad, GRADIENTS)
    for left in ("0.bias", "1.weight", "4.weight"):
        assert not case[f"grad_added.{left}"].any()
