"""One-dimensional convolutions: the lengths they make, and what they refuse."""

from typing import Any

import pytest
import torch

from ganctl.errors import ConfigError
from ganctl.models import MODELS
from ganctl.models.conv1d import halved
from ganctl.samples import SampleSpace
from tests.composed import composed

NARROW = ("model.generator.width=2", "model.discriminator.width=3", "model.latent=5")


def model(*overrides: str) -> Any:
    return MODELS["conv1d"].model_validate(composed("model=conv1d", *NARROW, *overrides)["model"])


@pytest.mark.parametrize("kernel", [4, 8, 16])
@pytest.mark.parametrize("shape", [(1, 8), (2, 12), (1, 100), (3, 64), (1, 148)])
def test_sequences_of_every_length_are_made_and_judged(shape: tuple[int, int], kernel: int) -> None:
    spec = model(f"model.generator.kernel={kernel}", f"model.discriminator.kernel={kernel}")
    space = SampleSpace.of_shape(shape)
    made = spec.build_generator(space)(torch.randn(3, 5))
    assert made.shape == (3, *shape)
    judge = spec.build_discriminator(space)
    halvings, base = halved(space)
    assert judge.features(made).shape == (3, 3 << (halvings - 1), base)
    assert judge(made).shape == (3,)


@pytest.mark.parametrize(
    ("length", "expected"), [(8, (1, 4)), (12, (1, 6)), (64, (4, 4)), (100, (2, 25)), (28, (2, 7))]
)
def test_a_length_is_halved_while_it_is_even_and_long(length: int, expected: tuple[int, int]) -> None:
    assert halved(SampleSpace.of_shape((1, length))) == expected


@pytest.mark.parametrize(
    ("length", "near"), [(4, "8"), (6, "8"), (30, "28 or 32"), (365, "364 or 368"), (5000, "4,096")]
)
def test_another_length_is_refused_with_the_next_ones(length: int, near: str) -> None:
    told = f"not of {length:,}; cut or pad them to {near}, or take model=mlp"
    with pytest.raises(ConfigError, match=told):
        model().build_generator(SampleSpace.of_shape((1, length)))


def test_images_are_refused() -> None:
    with pytest.raises(ConfigError, match="conv1d makes sequences, but the data is 8×8 pixels in 1 channel"):
        model().build_discriminator(SampleSpace.of_shape((1, 8, 8)))


@pytest.mark.parametrize("norm", ["batch", "layer", "instance", "spectral", "none"])
def test_every_norm_and_a_class_take_part(norm: str) -> None:
    spec = model("model.conditional=true", *(f"model.{who}.norm={norm}" for who in ("generator", "discriminator")))
    space = spec.space(SampleSpace.of_shape((1, 16), classes=("a", "b")))
    labels = torch.tensor([0, 1, 0, 1])
    made = spec.build_generator(space)(torch.randn(1, 5).expand(4, -1), labels)
    assert not torch.equal(made[0], made[1])
    judge = spec.build_discriminator(space)
    logits = judge.logits(judge.features(made[:1].expand(2, -1, -1)), labels[:2])
    assert logits[0] != logits[1]


def test_bounded_outputs_stay_in_their_range() -> None:
    made = model("model.generator.output=sigmoid").build_generator(SampleSpace.of_shape((1, 16)))(
        torch.randn(8, 5)
    )
    assert 0 < made.min() < made.max() < 1
