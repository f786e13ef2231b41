"""DCGAN: shapes from the data, layers from the config, initialisation from the paper."""

from typing import Any

import pytest
import torch
from torch import nn

from ganctl.errors import ConfigError, SizeError
from ganctl.models import MODELS
from ganctl.models.parts.sizes import sides
from ganctl.samples import SampleSpace
from tests.composed import composed

space = SampleSpace.of_shape
RESOLUTIONS = sides()


def spec(*overrides: str) -> Any:
    values = composed("model=dcgan", *overrides)["model"]
    return MODELS["dcgan"].model_validate(values)


def small(*overrides: str) -> Any:
    return spec(
        "model.generator.width=2",
        "model.discriminator.width=2",
        "model.generator.max_width=8",
        "model.latent=3",
        *overrides,
    )


def shapes(network: nn.Module, samples: torch.Tensor, kinds: tuple[type[nn.Module], ...]) -> list[tuple[int, ...]]:
    seen: list[tuple[int, ...]] = []
    hooks = [
        module.register_forward_hook(lambda module, inputs, output: seen.append(tuple(output.shape[1:])))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    network(samples)
    for hook in hooks:
        hook.remove()
    return seen


def test_the_resolutions_are_what_halves_down_to_4_to_7_pixels() -> None:
    assert RESOLUTIONS == [
        8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256,
        320, 384, 448, 512, 640, 768, 896, 1024,
    ]  # fmt: skip


@pytest.mark.parametrize("kernel", [4, 5])
@pytest.mark.parametrize("side", RESOLUTIONS)
def test_every_resolution_is_made_and_judged(side: int, kernel: int) -> None:
    model = small(f"model.generator.kernel={kernel}", f"model.discriminator.kernel={kernel}")
    pictures = model.build_generator(space((3, side, side)))(torch.randn(2, 3))
    assert pictures.shape == (2, 3, side, side)
    assert model.build_discriminator(space((3, side, side)))(pictures).shape == (2,)


@pytest.mark.parametrize(
    ("side", "near"), [(30, (28, 32)), (9, (8, 10)), (255, (224, 256)), (257, (256, 320)), (1025, (1024,))]
)
def test_another_resolution_is_refused_with_its_neighbours(side: int, near: tuple[int, ...]) -> None:
    for build in (small().build_generator, small().build_discriminator):
        with pytest.raises(SizeError) as refused:
            build(space((1, side, side)))
        assert refused.value.sides == near


@pytest.mark.parametrize(("height", "width"), [(32, 16), (8, 256), (40, 56), (64, 48), (28, 32)])
def test_an_image_need_not_be_square(height: int, width: int) -> None:
    shape = (3, height, width)
    images = small().build_generator(space(shape))(torch.randn(2, 3))
    assert images.shape == (2, *shape)
    assert small().build_discriminator(space(shape))(images).shape == (2,)


def test_points_and_sides_that_do_not_halve_together_are_refused() -> None:
    with pytest.raises(ConfigError, match="model=mlp"):
        small().build_generator(space((2,)))
    with pytest.raises(ConfigError, match=r"dcgan halves 32×70 pixels 3 times, .* side 64 or 72 pixels"):
        small().build_discriminator(space((1, 32, 70)))
    with pytest.raises(SizeError, match="32×1032 pixels, of more than 1024 a side"):
        small().build_discriminator(space((1, 32, 1032)))


def test_the_default_at_32_pixels_doubles_its_channels_from_32_on() -> None:
    generator = spec().build_generator(space((1, 32, 32)))
    discriminator = spec().build_discriminator(space((1, 32, 32)))
    assert shapes(generator, torch.randn(2, 100), (nn.ConvTranspose2d,)) == [
        (128, 4, 4),
        (64, 8, 8),
        (32, 16, 16),
        (1, 32, 32),
    ]
    assert shapes(discriminator, torch.randn(2, 1, 32, 32), (nn.Conv2d,)) == [
        (32, 16, 16),
        (64, 8, 8),
        (128, 4, 4),
        (1, 1, 1),
    ]


@pytest.mark.parametrize("network", ["generator", "discriminator"])
@pytest.mark.parametrize(
    ("norm", "kind", "count"),
    [
        ("batch", nn.BatchNorm2d, 3),
        ("layer", nn.GroupNorm, 3),
        ("instance", nn.InstanceNorm2d, 3),
        ("spectral", nn.utils.parametrize.ParametrizationList, 4),
        ("none", (nn.BatchNorm2d, nn.GroupNorm, nn.InstanceNorm2d), 0),
    ],
)
def test_norms_stand_behind_every_layer_but_pixels(network: str, norm: str, kind: Any, count: int) -> None:
    model = small(f"model.{network}.norm={norm}")
    build = model.build_generator if network == "generator" else model.build_discriminator
    found = sum(isinstance(module, kind) for module in build(space((1, 32, 32))).modules())
    assert found == (count if network == "generator" or norm in ("spectral", "none") else count - 1)


def test_spectral_norm_bounds_every_layers_largest_singular_value() -> None:
    model = small("model.discriminator.norm=spectral", "model.init_std=1.0")
    discriminator = model.build_discriminator(space((1, 8, 8)))
    for _ in range(50):
        discriminator(torch.randn(4, 1, 8, 8))
    for module in discriminator.modules():
        if isinstance(module, nn.Conv2d):
            largest = torch.linalg.matrix_norm(module.weight.flatten(1), 2).item()
            assert largest == pytest.approx(1, rel=1e-2)


def test_weights_start_as_n_0_002_and_scales_as_n_1_002() -> None:
    torch.manual_seed(0)
    for network in (spec().build_generator(space((1, 32, 32))), spec().build_discriminator(space((1, 32, 32)))):
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.05), name
                assert module.weight.mean().abs().item() < 2e-3, name
            elif isinstance(module, nn.BatchNorm2d):
                assert module.weight.mean().item() == pytest.approx(1, abs=0.01), name
                assert module.weight.std().item() == pytest.approx(0.02, rel=0.3), name
                assert not module.bias.any(), name


@pytest.mark.parametrize(("output", "low", "high"), [("tanh", -1.0, 1.0), ("sigmoid", 0.0, 1.0)])
def test_pictures_lie_in_the_models_range(output: str, low: float, high: float) -> None:
    model = small(f"model.generator.output={output}", "model.init_std=3.0")
    pictures = model.build_generator(space((1, 16, 16)))(torch.randn(8, 3))
    assert model.value_range == (low, high)
    assert low <= pictures.min() < low + 0.1
    assert high - 0.1 < pictures.max() <= high


def test_dropout_is_there_only_when_asked_for() -> None:
    assert not any(isinstance(m, nn.Dropout) for m in small().build_discriminator(space((1, 16, 16))).modules())
    dropped = small("model.discriminator.dropout=0.3").build_discriminator(space((1, 16, 16)))
    assert [m.p for m in dropped.modules() if isinstance(m, nn.Dropout)] == [0.3, 0.3]
