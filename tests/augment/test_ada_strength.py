"""The strength of ADA against the official rule."""

import json

import pytest
import torch

from ganctl.augment import Strength
from ganctl.augment.ada_strength import AdaStrength
from tests.augment.test_ada import made
from tests.reference.vectors import read

CPU = torch.device("cpu")


def in_float64(strength: AdaStrength) -> AdaStrength:
    strength.value, strength._signs, strength._updates = (each.double() for each in strength.state().values())
    return strength


@pytest.mark.parametrize("name", ["a", "b"])
def test_it_moves_as_the_official_one(name: str) -> None:
    case = read("sg2_ada_p_rule")
    rule = json.loads(case.metadata["constructor"])[name]
    change = rule["batch_size"] * rule["ada_interval"] / (rule["ada_kimg"] * 1000)
    strength = in_float64(AdaStrength(0.0, rule["ada_target"], change, 1, CPU))
    found = []
    for mean in case["in.mean_signs"]:
        strength.count(mean)
        found.append(strength.value.clone())
    case.check(f"p.{name}", torch.stack(found))


def test_it_moves_after_each_interval_by_its_share_of_the_images() -> None:
    augment = made().model_copy(update={"kimg": 1.0, "interval": 3, "initial": 0.5})
    strength = augment.begin(64, CPU)
    seen = []
    for sign in [1, 1, 1, -1, -1, 1, 1, 1, 1]:  # the second interval's mean is −1/3
        strength.observe(torch.full((2, 5), float(sign)))
        seen.append(strength.value.item())
    up = 0.5 + 64 * 3 / 1000
    expected = [0.5, 0.5, up, up, up, 0.5, 0.5, 0.5, up]
    assert seen == pytest.approx(expected)


def test_it_stays_without_a_target_and_at_0() -> None:
    fixed = made().model_copy(update={"initial": 0.3, "target": None}).begin(64, CPU)
    falling = made().model_copy(update={"kimg": 0.1}).begin(64, CPU)
    for _ in range(20):
        fixed.observe(torch.ones(4))
        falling.observe(-torch.ones(4))
    assert fixed.value.item() == pytest.approx(0.3)
    assert falling.value.item() == 0


def test_it_goes_on_from_its_state() -> None:
    def trace(strength: Strength, signs: list[float]) -> list[float]:
        values = []
        for sign in signs:
            strength.observe(torch.tensor([sign, 1.0]))
            values.append(strength.value.item())
        return values

    signs = [1.0, -1.0, 1.0, 1.0, 1.0, 1.0, -1.0, 1.0, 1.0, 1.0]
    augment = made().model_copy(update={"kimg": 1.0})
    whole, first, second = (augment.begin(64, CPU) for _ in range(3))
    expected = trace(whole, signs)
    begun = trace(first, signs[:5])
    second.load({name: tensor.clone() for name, tensor in first.state().items()})
    assert begun + trace(second, signs[5:]) == expected
