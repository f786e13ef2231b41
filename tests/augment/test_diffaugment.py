"""DiffAugment against the numbers of the official code, and where the official code has none."""

import json

import pytest
import torch
from torch import Tensor

from ganctl.augment.diffaugment import DiffAugment, Policy
from tests.reference.vectors import GRADIENTS, Case, read

CASES = ["all", "color", "cutout", "cutout_odd", "gray", "translation", "translation_nonsquare"]


def uniforms_of(case: Case, policies: list[Policy]) -> Tensor:
    """Return the uniform numbers from which our ⌊u · count⌋ makes the whole numbers of the file."""
    draws = iter([case.tensors[name] for name in sorted(case.tensors) if name.startswith("draw.")])
    columns = []
    for policy in policies:
        if policy == "color":
            columns += [next(draws).flatten() for _ in range(3)]
            continue
        for size in case["in.x"].shape[2:]:
            whole = next(draws).flatten()
            if policy == "translation":
                largest = int(size / 8 + 0.5)  # from −largest to largest
                columns.append((whole + largest + 0.5) / (2 * largest + 1))
            else:
                columns.append((whole + 0.5) / (size + (1 - int(size / 2 + 0.5) % 2)))
    return torch.stack(columns, 1)


def made(*policies: Policy) -> DiffAugment:
    return DiffAugment(name="diffaugment", policy=list(policies))


@pytest.mark.parametrize("name", CASES)
def test_it_gives_the_official_numbers(name: str) -> None:
    case = read(f"diffaug_{name}")
    policies = json.loads(case.metadata["constructor"])["policy"].split(",")
    augment, images = made(*policies), case["in.x"].requires_grad_()
    uniforms = uniforms_of(case, policies)
    assert uniforms.shape == (len(images), augment.uniforms)
    augmented = augment.apply(images, uniforms, None, None)
    case.check("out.y", augmented)
    scalar = case.scalar({"y": augmented})
    case.check("scalar", scalar)
    case.check("grad.in.x", torch.autograd.grad(scalar, images)[0], GRADIENTS)


@pytest.mark.parametrize("shape", [(3, 6, 5), (1, 8, 6), (4, 5, 4)])
def test_it_is_differentiable_twice(shape: tuple[int, ...]) -> None:
    augment = made("color", "translation", "cutout")
    source = torch.Generator().manual_seed(1)
    images = torch.randn(2, *shape, generator=source, dtype=torch.float64, requires_grad=True)
    uniforms = torch.rand(2, augment.uniforms, generator=source, dtype=torch.float64)

    def apply(images: Tensor) -> Tensor:
        return augment.apply(images, uniforms, None, None) ** 2

    assert torch.autograd.gradcheck(apply, images)
    assert torch.autograd.gradgradcheck(apply, images)


def test_color_leaves_alpha_alone() -> None:
    images, uniforms = torch.rand(5, 4, 6, 6), torch.rand(5, 3)
    augmented = made("color").apply(images, uniforms, None, None)
    assert torch.equal(augmented[:, 3], images[:, 3])
    assert torch.equal(augmented[:, :3], made("color").apply(images[:, :3], uniforms, None, None))


def test_the_value_range_only_scales_what_it_does() -> None:
    augment = made("color", "translation", "cutout")
    images, uniforms = torch.rand(5, 3, 6, 6).double(), torch.rand(5, 7).double()
    expected = (augment.apply(images * 2 - 1, uniforms, None, None) + 1) / 2
    found = augment.apply(images, uniforms, None, None, (0.0, 1.0))
    assert torch.allclose(found, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("uniform", [0.0, 1 - 2.0**-24])
def test_the_ends_of_the_uniform_numbers_are_the_ends_of_the_shifts(uniform: float) -> None:
    images = torch.randn(1, 1, 16, 24)
    moved = made("translation").apply(images, torch.full((1, 2), uniform), None, None)
    rows, columns = 2, 3
    if uniform == 0:
        assert torch.equal(moved[..., rows:, columns:], images[..., :-rows, :-columns])
        assert moved[..., :rows, :].eq(0).all()
        assert moved[..., :columns].eq(0).all()
    else:
        assert torch.equal(moved[..., :-rows, :-columns], images[..., rows:, columns:])
        assert moved[..., -rows:, :].eq(0).all()
        assert moved[..., -columns:].eq(0).all()


def test_precision_stays_under_autocast() -> None:
    augment = made("color", "translation", "cutout")
    images, uniforms = torch.randn(4, 3, 8, 8), torch.rand(4, 7)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = augment.apply(images, uniforms, None, None)
    assert found.dtype == torch.float32
    assert torch.equal(found, augment.apply(images, uniforms, None, None))
    assert augment.apply(images.bfloat16(), uniforms, None, None).dtype == torch.bfloat16
