"""Paths against closed forms: what lies between two keys, and that the keys themselves are kept."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from ganctl.uses.paths import frames_of, linear, spherical, walk

SHARES = torch.linspace(0, 1, 11, dtype=torch.float64)
ROUNDING = {"rtol": 0.0, "atol": 1e-14}
"""Some tens of float64's roundings of numbers near 1."""


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def angles_from(start: Tensor, path: Tensor) -> Tensor:
    """Return the angle of each vector to the first, of their cosines: another way than the code's."""
    cosines = path @ start.double() / (path.norm(dim=1) * start.double().norm())
    return cosines.clamp(-1, 1).acos()


def test_a_quarter_of_a_circle() -> None:
    path = spherical(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), SHARES)
    turned = SHARES * math.pi / 2
    torch.testing.assert_close(path, 2 * torch.stack([turned.cos(), turned.sin()], 1), **ROUNDING)


def test_vectors_of_one_length_go_as_in_shoemakes_formula() -> None:
    start, end = (part / part.norm() for part in drawn(2, 64).double())
    angle = torch.acos(start @ end)
    weights = (torch.sin((1 - SHARES) * angle) / angle.sin(), torch.sin(SHARES * angle) / angle.sin())
    formula = weights[0][:, None] * start + weights[1][:, None] * end
    found = spherical(start, end, SHARES)
    torch.testing.assert_close(found, formula, **ROUNDING)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(11, dtype=torch.float64), **ROUNDING)


def test_the_direction_turns_at_a_constant_speed_and_the_length_changes_evenly() -> None:
    start, end = drawn(64), 5 * drawn(64, seed=1)
    path = spherical(start, end, SHARES)
    angles = angles_from(start, path)
    # near 0 the arc cosine turns a rounding of 1e-16 into an angle of 1e-8
    torch.testing.assert_close(angles, SHARES * angles[-1], rtol=0, atol=1e-7)
    lengths = torch.lerp(start.double().norm(), end.double().norm(), SHARES)
    torch.testing.assert_close(path.norm(dim=1), lengths, rtol=1e-14, atol=0)


@pytest.mark.parametrize("factor", [1.0, 3.0, -1.0, -2.0, 0.0])
def test_vectors_of_one_line_are_gone_along_it(factor: float) -> None:
    start = drawn(16)
    assert torch.equal(spherical(start, factor * start, SHARES), linear(start, factor * start, SHARES))
    assert torch.equal(spherical(factor * start, start, SHARES), linear(factor * start, start, SHARES))


@pytest.mark.parametrize("angle", [1e-3, 1e-5, 1.1e-6, 0.9e-6, 1e-9])
def test_nearly_parallel_vectors_leave_no_step_between_both_ways(angle: float) -> None:
    start = torch.tensor([1.0, 0.0], dtype=torch.float64)
    path = spherical(start, torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64), SHARES)
    expected = torch.stack([(SHARES * angle).cos(), (SHARES * angle).sin()], 1)
    torch.testing.assert_close(path, expected, rtol=0, atol=1e-12)  # the square of the angle where lines begin


@pytest.mark.parametrize("turned", [0, 5, 8])
@pytest.mark.parametrize("loop", [False, True])
def test_keys_are_kept_bit_for_bit_and_frames_counted(turned: int, loop: bool) -> None:
    keys = drawn(4, 8)
    for steps in (0, 1, 6):
        path = walk(keys, steps, loop=loop, turned=turned)
        assert path.dtype == torch.float32
        assert len(path) == frames_of(4, steps, loop)
        assert torch.equal(path[:: steps + 1], keys)


def test_only_the_first_values_turn_and_codes_go_evenly() -> None:
    keys = drawn(2, 8).double()
    path = walk(keys, 3, turned=5)
    for step, share in enumerate((0.25, 0.5, 0.75), 1):
        torch.testing.assert_close(path[step, 5:], torch.lerp(keys[0, 5:], keys[1, 5:], share), **ROUNDING)
    steps = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    assert torch.equal(path[1:4, :5], spherical(keys[0, :5], keys[1, :5], steps))
    assert not torch.allclose(path[2, :5], keys[:, :5].mean(0))


def test_a_loop_is_a_path_that_ends_at_its_first_key_without_repeating_it() -> None:
    keys = drawn(3, 8)
    closed = walk(torch.cat([keys, keys[:1]]), 4, turned=8)
    loop = walk(keys, 4, loop=True, turned=8)
    assert torch.equal(loop, closed[:-1])
    there_and_back = walk(keys[:2], 4, loop=True)
    torch.testing.assert_close(there_and_back[1:5], there_and_back[6:].flip(0))


def test_styles_of_any_shape_go_evenly() -> None:
    keys = drawn(3, 4, 6)
    path = walk(keys, 1)
    assert path.shape == (5, 4, 6)
    np.testing.assert_allclose(path[1], keys[:2].mean(0), rtol=0, atol=1e-7)  # a rounding of float32
