"""Latents are found again by optimisation."""

import pytest
import torch
from torch import Tensor

from ganctl.models.latents import LatentSpace
from ganctl.uses.inversion import Candidates, Search, inverted

SEARCH = Search(starts=2, steps=300, lr=0.1)
SOURCE = torch.Generator().manual_seed(0)
MATRIX = torch.randn(3, 8, generator=SOURCE)


def linear(latents: Tensor, labels: Tensor | None) -> Tensor:
    return latents @ MATRIX


def found(space: LatentSpace, known: Tensor, search: Search = SEARCH, batch_size: int = 64) -> Tensor:
    """Return what is found of latents whose samples are given, from sixteen drawn ones."""
    drawn = space.draw((16,), torch.Generator().manual_seed(1), torch.float32)
    described = linear(drawn, None)
    candidates = Candidates(drawn, None)
    wanted = linear(known, None)
    best = inverted(linear, lambda each: each, wanted, candidates, described, space, search, batch_size)
    return best.latents


def test_a_linear_generator_is_inverted() -> None:
    space = LatentSpace(3)
    known = space.draw((5,), SOURCE, torch.float32)
    assert torch.allclose(found(space, known), known, atol=1e-3)


def test_more_at_once_changes_rounding_alone() -> None:
    space = LatentSpace(3)
    known = space.draw((5,), SOURCE, torch.float32)
    few = Search(2, 20, 0.1)
    assert torch.allclose(found(space, known, few), found(space, known, few, batch_size=3), atol=1e-5)


@pytest.mark.parametrize("prior", ["uniform", "truncated", "sphere"])
def test_latents_stay_where_the_prior_draws(prior: str) -> None:
    space = LatentSpace(3, prior)  # type: ignore[arg-type]
    ends = found(space, torch.full((2, 3), 5.0))
    if prior == "sphere":
        assert torch.allclose(ends.norm(dim=1), torch.full((2,), 3**0.5))
    else:
        assert ends.abs().max() == {"uniform": 1.0, "truncated": 2.0}[prior]


def test_categorical_codes_stay_and_continuous_ones_move_within_their_range() -> None:
    space = LatentSpace(1, categorical=(2,), continuous=1)
    make = torch.tensor([[1.0, 0, 0], [0, 3, 0], [0, -3, 0], [0, 0, 1]])
    drawn = space.draw((16,), torch.Generator().manual_seed(1), torch.float32)
    wanted = torch.tensor([[0.5, -3.0, 1.5]])

    def made(latents: Tensor, labels: Tensor | None) -> Tensor:
        return latents @ make

    best = inverted(made, lambda each: each, wanted, Candidates(drawn, None), made(drawn, None), space, SEARCH, 64)
    assert torch.allclose(best.latents, torch.tensor([[0.5, 0, 1, 1]]), atol=1e-3)


def test_the_class_is_that_of_the_best_end() -> None:
    space, labels = LatentSpace(1), torch.arange(16) % 4
    heights = torch.tensor([0.0, 10, 20, 30])

    def made(latents: Tensor, labels: Tensor | None) -> Tensor:
        assert labels is not None
        return torch.cat([latents, heights[labels][:, None]], 1)

    drawn = space.draw((16,), torch.Generator().manual_seed(1), torch.float32)
    wanted = torch.tensor([[0.3, 20.0], [-0.7, 0.0]])
    candidates = Candidates(drawn, labels)
    best = inverted(made, lambda each: each, wanted, candidates, made(drawn, labels), space, SEARCH, 3)
    assert best.labels is not None
    assert best.labels.tolist() == [2, 0]
    assert torch.allclose(best.latents, wanted[:, :1], atol=1e-3)


def test_what_was_nearer_on_the_way_counts() -> None:
    """A learning rate that is far too large leads away from where the search began."""
    space = LatentSpace(3)
    known = space.draw((4,), SOURCE, torch.float32)
    drawn = space.draw((16,), torch.Generator().manual_seed(1), torch.float32)
    nearest = torch.cdist(linear(known, None), linear(drawn, None)).amin(1)
    ends = found(space, known, Search(1, 10, 1e4))
    assert ((linear(ends, None) - linear(known, None)).norm(dim=1) <= nearest + 1e-4).all()


def test_the_learning_rate_rises_stays_and_falls() -> None:
    rates = [Search(1, 400, 0.1).rate(step) for step in range(401)]
    assert rates[0] == pytest.approx(0.1 / 20)
    assert set(rates[19:301]) == {0.1}
    assert rates[350] == pytest.approx(0.05)
    assert rates[400] == 0
