"""Latents: each prior's distribution, the codes' places, and numbers that depend on the key alone."""

import math

import pytest
import torch

from ganctl.models.latents import LatentSpace
from ganctl.runtime.randomness import generator

CPU = torch.device("cpu")
PRIORS = ("normal", "uniform", "truncated", "sphere")


def drawn(space: LatentSpace, count: int = 20_000, truncation: float | None = None) -> torch.Tensor:
    return space.draw((count,), generator(CPU, 0, "latents"), torch.float64, truncation)


def test_normal_latents_are_torchs() -> None:
    source = generator(CPU, 0, "latents")
    assert torch.equal(drawn(LatentSpace(7)).float(), torch.randn(20_000, 7, generator=source))


@pytest.mark.parametrize(
    ("prior", "largest", "variance"),
    [("uniform", 1.0, 1 / 3), ("truncated", 2.0, 0.774), ("normal", 6.0, 1.0), ("sphere", math.sqrt(5), 1.0)],
)
def test_a_priors_values_have_its_range_mean_and_variance(prior: str, largest: float, variance: float) -> None:
    values = drawn(LatentSpace(5, prior))  # type: ignore[arg-type]
    assert values.abs().max() <= largest
    assert values.abs().max() > 0.7 * largest
    assert values.mean().item() == pytest.approx(0, abs=0.01)
    assert values.var().item() == pytest.approx(variance, rel=0.02)


def test_latents_on_the_sphere_have_one_length() -> None:
    lengths = drawn(LatentSpace(9, "sphere")).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full_like(lengths, 3.0), rtol=1e-6, atol=0)


@pytest.mark.parametrize("bound", [0.1, 0.5, 1.0, 3.0, 9.0])
def test_truncation_bounds_normal_values_and_leaves_their_density(bound: float) -> None:
    values = drawn(LatentSpace(4), truncation=bound)
    assert values.isfinite().all()
    assert values.abs().max() <= bound
    inside = math.erf(bound / math.sqrt(2))
    half = math.erf(bound / 2 / math.sqrt(2)) / inside
    assert (values.abs() < bound / 2).double().mean().item() == pytest.approx(half, abs=0.01)


@pytest.mark.parametrize("prior", PRIORS)
def test_codes_come_last_and_leave_the_values_before_them_alone(prior: str) -> None:
    plain, coded = LatentSpace(5, prior), LatentSpace(5, prior, (3, 4), 2)  # type: ignore[arg-type]
    assert (coded.width, coded.codes) == (14, 4)
    values = drawn(coded)
    assert torch.equal(values[:, :5], drawn(plain))
    for first, size in ((5, 3), (8, 4)):
        chosen = values[:, first : first + size]
        assert chosen.sum(1).eq(1).all()
        assert chosen.unique().tolist() == [0, 1]
        torch.testing.assert_close(chosen.mean(0), torch.full((size,), 1 / size).double(), rtol=0.05, atol=0)
    assert values[:, 12:].abs().max() <= 1
    assert values[:, 12:].var().item() == pytest.approx(1 / 3, rel=0.05)


def test_a_code_is_set_where_it_is() -> None:
    space = LatentSpace(2, categorical=(3, 2), continuous=2)
    latents = drawn(space, 4)
    for code, values, first, columns in (
        (0, [0, 1, 2, 0], 2, torch.eye(3)[[0, 1, 2, 0]]),
        (1, [1, 1, 0, 0], 5, torch.eye(2)[[1, 1, 0, 0]]),
        (2, [-1, 0, 0.5, 1], 7, torch.tensor([[-1], [0], [0.5], [1]])),
        (3, [0.25] * 4, 8, torch.full((4, 1), 0.25)),
    ):
        changed = space.with_code(latents, code, values)
        last = first + columns.shape[1]
        assert torch.equal(changed[:, first:last].float(), columns)
        rest = [column for column in range(space.width) if not first <= column < last]
        assert torch.equal(changed[:, rest], latents[:, rest])


@pytest.mark.parametrize("prior", PRIORS)
def test_moved_latents_keep_their_codes_and_the_length_of_a_sphere(prior: str) -> None:
    space = LatentSpace(5, prior, (3,), 1)  # type: ignore[arg-type]
    latents, shifts = drawn(space, 40), torch.linspace(-3, 3, 200, dtype=torch.float64).view(40, 5)
    moved = space.moved(latents, shifts)
    assert torch.equal(moved[:, 5:], latents[:, 5:])
    expected = latents[:, :5] + shifts
    if prior == "sphere":
        expected *= math.sqrt(5) / expected.norm(dim=1, keepdim=True)
    torch.testing.assert_close(moved[:, :5], expected)
