"""Residual networks: official outputs, gradients and sizes; shapes from the data, errors in one line."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from ganctl.errors import ConfigError, SizeError
from tests.models.official import ATTENTION, check, renamed, split, spoil, unspoilt, within
from tests.models.residual import both, model, space
from tests.reference.vectors import read

FAMILIES = {
    "sngan": (12, []),
    "cganpd": (12, ["conditional=true"]),
    "sagan": (
        16,
        [
            "conditional=true",
            "generator.attention=16",
            "discriminator.attention=8",
            "generator.spectral=true",
        ],
    ),
}


def generator_table(attends: bool) -> dict[str, str]:
    table = {"project": "l1", "norm": "b5", "pixels": "c5"}
    places = {"blocks.0": "block2", "blocks.1": "block3", f"blocks.{2 + attends}": "block4"}
    for ours, theirs in places.items():
        table |= within(ours, theirs)
    return table | (within("blocks.2", "attn_block", ATTENTION) if attends else {})


def discriminator_table(attends: bool) -> dict[str, str]:
    table = {"judge": "l5", "heads.embedding": "l_y"}
    for number in range(4):
        table |= within(f"blocks.{number + (attends and number > 1)}", f"block{number + 1}")
    return table | (within("blocks.2", "attn_block", ATTENTION) if attends else {})


@pytest.mark.parametrize("family", FAMILIES)
def test_generators_are_mimicrys(family: str) -> None:
    width, words = FAMILIES[family]
    case = split(read(f"{family}_generator32"))
    classes = 5 if "conditional=true" in words else 0
    spec = model("latent=12", "generator.upsample=bilinear", *both(width), *words)
    network = spec.build_generator(space(3, 32, 32, classes=classes))
    labels = case.tensors.get("in.y")
    table = generator_table(family == "sagan")
    assert not check(case, network, table, "img", lambda network, latents: network(latents, labels))


@pytest.mark.parametrize("family", FAMILIES)
def test_discriminators_are_mimicrys(family: str) -> None:
    width, words = FAMILIES[family]
    case = renamed(read(f"{family}_discriminator32"))
    classes = 5 if "conditional=true" in words else 0
    labels = case.tensors.get("in.y")

    def built() -> nn.Module:
        network: nn.Module = model(*both(width), *words).build_discriminator(space(3, 32, 32, classes=classes))
        return network

    def call(network: nn.Module, samples: Tensor) -> Tensor:
        logits: Tensor = network(samples, labels)
        return logits

    table = discriminator_table(family == "sagan")
    check(unspoilt(case), built(), table, "logits", call)
    spoilt = built()
    spoil(spoilt)
    assert not check(case, spoilt, table, "logits", call)


def small(*overrides: str) -> Any:
    return model("latent=3", *both(2), *overrides)


@pytest.mark.parametrize(
    ("shape", "base"),
    [
        ((1, 8, 8), (4, 4)),
        ((1, 28, 28), (7, 7)),
        ((3, 48, 32), (6, 4)),
        ((3, 32, 64), (4, 8)),
        ((2, 96, 160), (6, 10)),
        ((3, 256, 192), (8, 6)),
    ],
)
def test_shapes_halve_down_to_their_base(shape: tuple[int, ...], base: tuple[int, int]) -> None:
    generator = small().build_generator(space(*shape))
    images = generator(torch.randn(2, 3))
    assert images.shape == (2, *shape)
    assert generator.base[1:] == base
    assert small().build_discriminator(space(*shape))(images).shape == (2,)


@pytest.mark.parametrize(("side", "near"), [(30, (28, 32)), (7, (8,)), (255, (224, 256)), (1025, (1024,))])
def test_another_resolution_is_refused_with_its_neighbours(side: int, near: tuple[int, ...]) -> None:
    for build in (small().build_generator, small().build_discriminator):
        with pytest.raises(SizeError) as refused:
            build(space(1, side, side))
        assert refused.value.sides == near


def test_points_odd_shapes_and_unknown_sides_are_refused() -> None:
    with pytest.raises(ConfigError, match="model=mlp"):
        small().build_generator(space(2))
    with pytest.raises(
        ConfigError,
        match=r"resnet halves 36×32 pixels 3 times, .* side 32 or 40",
    ):
        small().build_discriminator(space(1, 36, 32))
    with pytest.raises(ConfigError, match=r"generator\.attention: no maps have 33 pixels a side; take 32 or less"):
        small("generator.attention=33").build_generator(space(1, 32, 32))
    with pytest.raises(ConfigError, match=r"discriminator\.attention: .* take 16 or less, or null$"):
        small("discriminator.attention=32").build_discriminator(space(1, 32, 32))


@pytest.mark.parametrize(
    ("base", "blocks", "made"), [(8, 2, [16, 8, 8, 8]), (4, 0, [16, 8, 4]), (1, 1, [16, 8, 4, 2, 1, 1])]
)
def test_the_discriminator_halves_to_its_base_and_goes_on(base: int, blocks: int, made: list[int]) -> None:
    spec = small(f"discriminator.base={base}", f"discriminator.blocks={blocks}")
    network = spec.build_discriminator(space(3, 32, 32))
    maps, sides = torch.randn(2, 3, 32, 32), []
    for block in network.blocks:
        maps = block(maps)
        sides.append(maps.shape[2])
    assert sides == made


def test_norms_of_the_discriminator() -> None:
    spectral, layer, none = (
        small(f"discriminator.norm={norm}", "generator.spectral=true") for norm in ("spectral", "layer", "none")
    )
    assert spectral.lipschitz
    assert not layer.lipschitz
    assert not layer.mixes_samples
    counts = [
        sum(isinstance(each, nn.GroupNorm) for each in spec.build_discriminator(space(3, 32, 32)).modules())
        for spec in (spectral, layer, none)
    ]
    assert counts == [0, 7, 0]  # before each ReLU of four blocks, but for the pixels
    for build, layers in ((spectral.build_generator, 3 * 3 + 2), (spectral.build_discriminator, 4 * 2 + 2 + 1)):
        found = [each for each in build(space(3, 32, 32)).modules() if isinstance(each, ParametrizationList)]
        assert len(found) == layers
