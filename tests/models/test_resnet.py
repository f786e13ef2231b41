"""Residual networks: official outputs, gradients and sizes; shapes from the data, errors in one line."""

from typing import Any

import pytest
from torch import Tensor, nn

from ganctl.models import MODELS
from ganctl.samples import SampleSpace
from tests.composed import composed
from tests.models.official import ATTENTION, check, renamed, split, spoil, unspoilt, within
from tests.reference.vectors import read


def model(*overrides: str) -> Any:
    words = (word if word.startswith("+") else f"model.{word}" for word in overrides)
    return MODELS["resnet"].model_validate(composed("model=resnet", *words)["model"])


def space(*shape: int, classes: int = 0) -> SampleSpace:
    return SampleSpace.of_shape(shape) if not classes else with_classes(SampleSpace.of_shape(shape), classes)


def with_classes(plain: SampleSpace, count: int) -> SampleSpace:
    return SampleSpace(plain.kind, plain.shape, plain.value_range, tuple(map(str, range(count))))


def both(width: int) -> list[str]:
    players = ("generator", "discriminator")
    return [f"{player}.{key}={width}" for player in players for key in ("width", "max_width")]


FAMILIES = {
    "sngan": (12, []),
    "cganpd": (12, ["conditional=true"]),
    "sagan": (
        16,
        [
            "conditional=true",
            "generator.attention=[16]",
            "discriminator.attention=[8]",
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
