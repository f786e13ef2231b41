"""Each adversarial loss against its closed form."""

import math
from types import SimpleNamespace

import pytest
import torch

from ganctl.losses import LOSSES, Loss

REAL = [1.5, -0.5, 3.0]
FAKE = [-2.0, 0.25, 1.0]


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


CLOSED_FORMS = {
    "nonsaturating": (
        mean([-math.log(sigmoid(x)) for x in REAL]) + mean([-math.log(1 - sigmoid(x)) for x in FAKE]),
        mean([-math.log(sigmoid(x)) for x in FAKE]),
    ),
    "hinge": (
        mean([max(0, 1 - x) for x in REAL]) + mean([max(0, 1 + x) for x in FAKE]),
        -mean(FAKE),
    ),
    "wgan": (mean(FAKE) - mean(REAL), -mean(FAKE)),
}


def build(name: str) -> Loss:
    return LOSSES[name](name=name)


def test_every_loss_has_a_closed_form_here() -> None:
    assert set(CLOSED_FORMS) == set(LOSSES)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_a_loss_equals_its_closed_form(name: str) -> None:
    logits = SimpleNamespace(
        real_logits=torch.tensor(REAL, dtype=torch.float64), fake_logits=torch.tensor(FAKE, dtype=torch.float64)
    )
    discriminator, generator = CLOSED_FORMS[name]
    assert build(name).discriminator(logits).item() == pytest.approx(discriminator, abs=1e-12)
    assert build(name).generator(logits).item() == pytest.approx(generator, abs=1e-12)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_a_losss_gradients_equal_finite_differences(name: str) -> None:
    real = torch.tensor(REAL, dtype=torch.float64, requires_grad=True)
    fake = torch.tensor(FAKE, dtype=torch.float64, requires_grad=True)
    loss = build(name)

    def discriminator(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        return loss.discriminator(SimpleNamespace(real_logits=real, fake_logits=fake))

    def generator(fake: torch.Tensor) -> torch.Tensor:
        return loss.generator(SimpleNamespace(fake_logits=fake))

    assert torch.autograd.gradcheck(discriminator, (real, fake))
    assert torch.autograd.gradcheck(generator, (fake,))


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_players_want_opposite_things(name: str) -> None:
    fake = torch.tensor([0.1, -0.2], requires_grad=True)
    logits = SimpleNamespace(real_logits=torch.zeros(2), fake_logits=fake)
    (generator,) = torch.autograd.grad(build(name).generator(logits), fake)
    (discriminator,) = torch.autograd.grad(build(name).discriminator(logits), fake)
    assert (generator < 0).all()
    assert (discriminator > 0).all()


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_extreme_logits_stay_finite(name: str) -> None:
    logits = SimpleNamespace(real_logits=torch.tensor([-1e4, 1e4]), fake_logits=torch.tensor([1e4, -1e4]))
    assert torch.isfinite(build(name).discriminator(logits))
    assert torch.isfinite(build(name).generator(logits))


def test_the_generator_never_asks_for_real_logits_it_does_not_need() -> None:
    class FakeOnly:
        fake_logits = torch.zeros(2)

        @property
        def real_logits(self) -> torch.Tensor:
            raise AssertionError("a forward of real samples would be paid for nothing")

    for name in ("nonsaturating", "hinge", "wgan"):
        build(name).generator(FakeOnly())
