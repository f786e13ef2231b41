"""ADA against the numbers of the official code, and where the official code has none."""

import json
import math

import pytest
import torch
import yaml
from torch import Tensor

from ganctl.augment.ada import UNIFORMS, Ada
from ganctl.augment.ada_geometry import spread_in_order, spread_natively
from tests.reference.vectors import FOLDER, GRADIENTS, Case, read

CASES = sorted(path.stem for path in FOLDER.glob("sg2_ada_*.safetensors") if path.stem != "sg2_ada_p_rule")
YAML = FOLDER.parents[1] / "configs/augment/ada.yaml"


def made(**multipliers: float) -> Ada:
    return Ada(**yaml.safe_load(YAML.read_text())["ada"] | dict.fromkeys(UNIFORMS, 0.0) | multipliers)


def normal_to_uniform(values: Tensor) -> Tensor:
    return (1 + (values / math.sqrt(2)).erf()) / 2


def official(case: Case) -> Ada:
    return made(**{name: float(value) for name, value in json.loads(case.metadata["constructor"]).items()})


def draws_of(case: Case) -> list[tuple[str, Tensor]]:
    return [(name, case.tensors[name]) for name in sorted(case.tensors) if name.startswith("draw.")]


def uniforms_of(case: Case) -> tuple[Tensor, Tensor | None]:
    """Return the file's random numbers in the order of the official code, and the noise that is of images."""
    columns, noise = [], None
    for name, values in draws_of(case):
        if values.shape == case["in.x"].shape:
            noise = values
        else:
            columns.append(normal_to_uniform(values) if "randn" in name else values)
    return torch.cat([column.reshape(len(column), -1) for column in columns], 1), noise


def percentile_of(augment: Ada, quantile: float) -> Tensor:
    """Return the numbers with which every change happens, as far as the official code's `debug_percentile` says.

    What is normal there is erfinv(2q − 1), and the second rotation is by 0.
    """
    q = torch.tensor(quantile, dtype=torch.float64)
    normal, gate = normal_to_uniform((2 * q - 1).erfinv()), torch.zeros_like(q)
    values = {
        **{change: [q, gate] for change in ("xflip", "rotate90", "rotate", "lumaflip", "hue")},
        **{change: [normal, gate] for change in ("scale", "aniso", "brightness", "contrast", "saturation")},
        "xint": [q, q, gate],
        "xfrac": [normal, normal, gate],
        "imgfilter": [normal, gate] * 4,
        "cutout": [gate, q, q],
    }
    numbers: list[Tensor] = []
    for change in augment.multipliers:
        numbers += values[change]
        if change == "aniso" and "rotate" in augment.multipliers:
            numbers += [torch.full_like(q, 0.5), gate]
    if "rotate" in augment.multipliers and "aniso" not in augment.multipliers:
        numbers += [torch.full_like(q, 0.5), gate]
    return torch.stack(numbers)[None]


@pytest.mark.parametrize("name", CASES)
def test_ada_gives_the_official_numbers(name: str) -> None:
    case = read(name)
    augment, images = official(case), case["in.x"].requires_grad_()
    uniforms, noise = uniforms_of(case)
    assert uniforms.shape == (len(images), augment.uniforms)
    assert (noise is not None) == augment.draws_noise
    strength = torch.tensor(float(case.metadata["p"]), dtype=torch.float64)
    outputs = {"random": augment.apply(images, uniforms, noise, strength)}
    for quantile in json.loads(case.metadata["percentiles"]):
        numbers = percentile_of(augment, quantile)
        outputs[f"percentile{quantile}"] = augment.apply(images[:1], numbers, None, torch.ones_like(strength))
    for output, found in outputs.items():
        case.check(f"out.{output}", found)
    scalar = case.scalar(outputs)
    case.check("scalar", scalar)
    case.check("grad.in.x", torch.autograd.grad(scalar, images)[0], GRADIENTS)


BGC = dict.fromkeys(list(UNIFORMS)[:12], 1.0)


@pytest.mark.parametrize("shape", [(3, 5, 4), (1, 5, 6), (4, 4, 4)])
def test_ada_is_differentiable_twice(shape: tuple[int, ...]) -> None:
    augment = made(**BGC, cutout=1.0)
    source = torch.Generator().manual_seed(3)
    images = torch.randn(2, *shape, generator=source, dtype=torch.float64, requires_grad=True)
    uniforms = torch.rand(2, augment.uniforms, generator=source, dtype=torch.float64)
    strength = torch.tensor(0.8, dtype=torch.float64)

    def apply(images: Tensor) -> Tensor:
        return augment.apply(images, uniforms, None, strength) ** 2

    assert torch.autograd.gradcheck(apply, images)
    assert torch.autograd.gradgradcheck(apply, images)


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 8, 12), (4, 24, 8)])
def test_without_strength_nothing_changes(shape: tuple[int, ...]) -> None:
    augment = made(**dict.fromkeys(UNIFORMS, 1.0))
    images = torch.randn(3, *shape)
    found = augment.apply(images, torch.rand(3, augment.uniforms), torch.randn_like(images), torch.zeros(()))
    assert torch.allclose(found, images, rtol=0, atol=2e-5)


def test_gray_images_are_colored_as_gray_ones_of_three_channels_are() -> None:
    augment = made(**dict.fromkeys(("brightness", "contrast", "lumaflip", "hue", "saturation"), 1.0))
    images, uniforms = torch.randn(5, 1, 4, 4).double(), torch.rand(5, augment.uniforms).double()
    found = augment.apply(images, uniforms, None, torch.tensor(0.7))
    expected = augment.apply(images.expand(5, 3, 4, 4), uniforms, None, torch.tensor(0.7))
    assert torch.allclose(found.expand(5, 3, 4, 4), expected, rtol=0, atol=1e-14)
    with_alpha = torch.cat([images.expand(5, 3, 4, 4), images], 1)
    assert torch.equal(
        augment.apply(with_alpha, uniforms, None, torch.tensor(0.7)), torch.cat([expected, images], 1)
    )


def test_the_smallest_and_largest_uniform_numbers_give_finite_images() -> None:
    augment = made(**dict.fromkeys(UNIFORMS, 1.0))
    images = torch.rand(2, 3, 16, 16)
    for uniform in (0.0, 1 - 2.0**-24):
        uniforms = torch.full((2, augment.uniforms), uniform)
        assert augment.apply(images, uniforms, images, torch.tensor(1.5)).isfinite().all()


def test_samples_are_spread_in_order_as_they_are_natively() -> None:
    source = torch.Generator().manual_seed(4)
    samples = torch.randn(3, 2, 7, 9, generator=source, dtype=torch.float64)
    grid = torch.rand(3, 7, 9, 2, generator=source, dtype=torch.float64) * 3 - 1.5
    torch.testing.assert_close(
        spread_in_order(samples, grid, 5, 8), spread_natively(samples, grid, 5, 8), rtol=0, atol=1e-13
    )
