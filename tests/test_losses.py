"""Each adversarial loss against its closed form, in plain Python."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from ganctl.losses import LOSSES, LabelledLoss, Loss

REAL = [1.5, -0.5, 3.0]
FAKE = [-2.0, 0.25, 1.0]
SHARES = {"real": [0.9, 0.1, 0.5], "fake": [0.15, 0.95, 0.3]}
"""What a judgement draws to decide whether its label is swapped."""


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def minus_log(x: float) -> float:
    return -math.log(sigmoid(x))


CROSS_ENTROPY = mean([minus_log(x) for x in REAL]) + mean([-math.log(1 - sigmoid(x)) for x in FAKE])
CLOSED_FORMS = {
    "nonsaturating": (CROSS_ENTROPY, mean([minus_log(x) for x in FAKE])),
    "minimax": (CROSS_ENTROPY, mean([math.log(1 - sigmoid(x)) for x in FAKE])),
    "lsgan": (
        mean([(x - 1) ** 2 / 2 for x in REAL]) + mean([x**2 / 2 for x in FAKE]),
        mean([(x - 1) ** 2 / 2 for x in FAKE]),
    ),
    "relativistic": (
        mean([minus_log(x - y) for x, y in zip(REAL, FAKE, strict=True)]),
        mean([minus_log(y - x) for x, y in zip(REAL, FAKE, strict=True)]),
    ),
    "relativistic_average": (
        mean([minus_log(x - mean(FAKE)) for x in REAL]) + mean([minus_log(mean(REAL) - y) for y in FAKE]),
        mean([minus_log(y - mean(REAL)) for y in FAKE]) + mean([minus_log(mean(FAKE) - x) for x in REAL]),
    ),
    "hinge": (
        mean([max(0, 1 - x) for x in REAL]) + mean([max(0, 1 + x) for x in FAKE]),
        -mean(FAKE),
    ),
    "wgan": (mean(FAKE) - mean(REAL), -mean(FAKE)),
}
DISTANCES: dict[str, Callable[[float, float], float]] = {
    "lsgan": lambda x, label: (x - label) ** 2 / 2,
    "nonsaturating": lambda x, label: -label * math.log(sigmoid(x)) - (1 - label) * math.log(1 - sigmoid(x)),
    "minimax": lambda x, label: -label * math.log(sigmoid(x)) - (1 - label) * math.log(1 - sigmoid(x)),
}
RELATIVISTIC = {"relativistic", "relativistic_average"}
LABELLED = sorted(name for name in LOSSES if issubclass(LOSSES[name], LabelledLoss))


def build(name: str, **settings: Any) -> Loss:
    plain = {"label_smoothing": 0.0, "label_noise": 0.0} if name in LABELLED else {}
    return LOSSES[name](name=name, **plain | settings)


def seen(real: Any = REAL, fake: Any = FAKE, dtype: torch.dtype = torch.float64) -> Any:
    def uniform(purpose: str) -> Tensor:
        return torch.tensor(SHARES[purpose.removeprefix("label_noise_")], dtype=dtype)

    real, fake = (torch.as_tensor(values, dtype=dtype) for values in (real, fake))
    return SimpleNamespace(real_logits=real, fake_logits=fake, uniform=uniform)


def test_every_loss_has_a_closed_form_here() -> None:
    assert set(CLOSED_FORMS) == set(LOSSES)
    assert set(DISTANCES) == set(LABELLED)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_a_loss_equals_its_closed_form(name: str) -> None:
    discriminator, generator = CLOSED_FORMS[name]
    assert build(name).discriminator(seen()).item() == pytest.approx(discriminator, abs=1e-12)
    assert build(name).generator(seen()).item() == pytest.approx(generator, abs=1e-12)


@pytest.mark.parametrize("name", LABELLED)
def test_smoothed_labels_pull_real_logits_alone(name: str) -> None:
    smooth, distance = build(name, label_smoothing=0.1), DISTANCES[name]
    expected = mean([distance(x, 0.9) for x in REAL]) + mean([distance(x, 0.0) for x in FAKE])
    assert smooth.discriminator(seen()).item() == pytest.approx(expected, abs=1e-12)
    assert smooth.generator(seen()).item() == build(name).generator(seen()).item()


@pytest.mark.parametrize("name", LABELLED)
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_noisy_label_is_the_other_sides(name: str, smoothing: float) -> None:
    noisy, distance = build(name, label_smoothing=smoothing, label_noise=0.2), DISTANCES[name]
    labels = {"real": [1 - smoothing, 0.0, 1 - smoothing], "fake": [1 - smoothing, 0.0, 0.0]}
    expected = sum(
        mean([distance(x, label) for x, label in zip(logits, labels[side], strict=True)])
        for side, logits in (("real", REAL), ("fake", FAKE))
    )
    assert noisy.discriminator(seen()).item() == pytest.approx(expected, abs=1e-12)
    assert noisy.generator(seen()).item() == build(name).generator(seen()).item()


@pytest.mark.parametrize("name", LABELLED)
def test_without_label_noise_nothing_is_drawn(name: str) -> None:
    logits = SimpleNamespace(real_logits=torch.zeros(3), fake_logits=torch.zeros(3))
    assert build(name, label_smoothing=0.1).discriminator(logits).isfinite()


@pytest.mark.parametrize("key", ["label_smoothing", "label_noise"])
@pytest.mark.parametrize("value", [-0.1, 0.5])
def test_labels_that_say_the_opposite_are_refused(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=key):
        build("nonsaturating", **{key: value})


@pytest.mark.parametrize("settings", [{}, {"label_smoothing": 0.2, "label_noise": 0.3}], ids=["plain", "labels"])
@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_a_losss_gradients_equal_finite_differences(name: str, settings: dict[str, float]) -> None:
    real = torch.tensor(REAL, dtype=torch.float64, requires_grad=True)
    fake = torch.tensor(FAKE, dtype=torch.float64, requires_grad=True)
    loss = build(name, **settings if name in LABELLED else {})
    assert torch.autograd.gradcheck(lambda real, fake: loss.discriminator(seen(real, fake)), (real, fake))
    assert torch.autograd.gradcheck(lambda fake: loss.generator(seen(REAL, fake)), (fake,))
    if name in RELATIVISTIC:
        assert torch.autograd.gradcheck(lambda real: loss.generator(seen(real, FAKE)), (real,))


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_the_players_want_opposite_things(name: str) -> None:
    real, fake = torch.tensor([0.0, 0.1], requires_grad=True), torch.tensor([0.1, -0.2], requires_grad=True)
    logits = SimpleNamespace(real_logits=real, fake_logits=fake)
    (generator,) = torch.autograd.grad(build(name).generator(logits), fake)
    of_real, of_fake = torch.autograd.grad(build(name).discriminator(logits), (real, fake))
    assert (generator < 0).all()
    assert (of_real < 0).all()
    assert (of_fake > 0).all() if name != "lsgan" else torch.equal(of_fake, fake / 2)


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize("size", [1e4, 3e18])
def test_extreme_logits_stay_finite(name: str, size: float) -> None:
    logits = seen([-size, size, 0.0], [size, -size, 0.0], torch.float32)
    assert build(name).discriminator(logits).isfinite()
    assert build(name).generator(logits).isfinite()


def test_the_saturating_generator_has_no_lower_bound_and_no_pull_where_it_fails() -> None:
    sure_fake = torch.tensor([-50.0], requires_grad=True)
    pulls = {
        name: torch.autograd.grad(build(name).generator(SimpleNamespace(fake_logits=sure_fake)), sure_fake)[0]
        for name in ("minimax", "nonsaturating")
    }
    assert pulls["minimax"].abs().item() < 1e-20
    assert pulls["nonsaturating"].item() == pytest.approx(-1)
    assert build("minimax").generator(seen(REAL, [1e6] * 3)).item() == pytest.approx(-1e6)


@pytest.mark.parametrize("name", sorted(set(LOSSES) - RELATIVISTIC))
def test_the_generator_never_asks_for_real_logits_it_does_not_need(name: str) -> None:
    class FakeOnly:
        fake_logits = torch.zeros(2)

        @property
        def real_logits(self) -> Tensor:
            raise AssertionError("a forward of real samples would be paid for nothing")

    assert build(name).generator(FakeOnly()).isfinite()


@pytest.mark.parametrize(("name", "paired"), [("relativistic", True), ("relativistic_average", False)])
def test_only_the_pairing_loss_depends_on_which_fake_meets_which_real(name: str, paired: bool) -> None:
    for player in ("discriminator", "generator"):
        value = getattr(build(name), player)
        moved = value(seen(REAL, FAKE[1:] + FAKE[:1])).item() - value(seen()).item()
        assert (abs(moved) > 1e-3) == paired


@pytest.mark.parametrize("name", sorted(RELATIVISTIC))
def test_a_shift_of_all_logits_means_nothing_to_a_relativistic_loss(name: str) -> None:
    shifted = seen([x + 5 for x in REAL], [x + 5 for x in FAKE])
    for player in ("discriminator", "generator"):
        value = getattr(build(name), player)
        assert value(shifted).item() == pytest.approx(value(seen()).item(), abs=1e-12)
