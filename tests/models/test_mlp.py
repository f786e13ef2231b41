"""MLP: any data shape, sizes from the data."""

from typing import Any

import pytest
import torch
from torch import nn

from ganctl.models import MODELS
from ganctl.samples import SampleSpace
from tests.composed import composed

space = SampleSpace.of_shape


def spec(*overrides: str) -> Any:
    values = composed("model=mlp", "model.latent=5", *overrides)["model"]
    return MODELS["mlp"].model_validate(values)


def widths(network: nn.Module) -> list[tuple[int, int]]:
    return [
        (module.in_features, module.out_features) for module in network.modules() if isinstance(module, nn.Linear)
    ]


@pytest.mark.parametrize("shape", [(2,), (1,), (1, 28, 28), (3, 5, 9)])
def test_any_shape_is_made_and_judged(shape: tuple[int, ...]) -> None:
    samples = spec().build_generator(space(shape))(torch.randn(4, 5))
    assert samples.shape == (4, *shape)
    assert spec().build_discriminator(space(shape))(samples).shape == (4,)


def test_layers_have_the_widths_that_were_asked_for() -> None:
    model = spec("model.generator.hidden=[7,9]", "model.discriminator.hidden=[]")
    assert widths(model.build_generator(space((1, 4, 4)))) == [(5, 7), (7, 9), (9, 16)]
    assert widths(model.build_discriminator(space((1, 4, 4)))) == [(16, 1)]


def test_points_are_linear_and_pictures_in_range() -> None:
    model = spec("model.generator.output=sigmoid", "model.init_std=5.0")
    assert model.build_generator(space((2,)))(torch.randn(64, 5)).abs().max() > 2
    pictures = model.build_generator(space((1, 2, 2)))(torch.randn(64, 5))
    assert 0 <= pictures.min() < 0.1
    assert 0.9 < pictures.max() <= 1


@pytest.mark.parametrize(
    ("norm", "kind", "count"),
    [
        ("batch", nn.BatchNorm1d, 3),
        ("layer", nn.LayerNorm, 3),
        ("spectral", nn.utils.parametrize.ParametrizationList, 4),
        ("none", (nn.BatchNorm1d, nn.LayerNorm), 0),
    ],
)
def test_norms_stand_behind_every_hidden_layer(norm: str, kind: Any, count: int) -> None:
    network = spec(f"model.discriminator.norm={norm}").build_discriminator(space((2,)))
    assert sum(isinstance(module, kind) for module in network.modules()) == count
    assert network(torch.randn(4, 2)).shape == (4,)


@pytest.mark.parametrize("norm", ["spectral", "none"])
def test_only_spectral_norm_makes_the_discriminator_lipschitz(norm: str) -> None:
    assert spec(f"model.discriminator.norm={norm}").lipschitz is (norm == "spectral")


def test_without_init_std_torchs_own_initialisation_stays() -> None:
    torch.manual_seed(0)
    ours = spec("model.generator.hidden=[4]").build_generator(space((2,)))
    torch.manual_seed(0)
    theirs = nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 2))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(a, b)


def test_maxout_units_are_the_largest_of_their_linear_maps() -> None:
    model = spec("model.discriminator.hidden=[3]", "model.discriminator.maxout=4")
    network = model.build_discriminator(space((2,)))
    assert widths(network) == [(2, 12), (3, 1)]
    first = next(module for module in network.modules() if isinstance(module, nn.Linear))
    samples = torch.randn(6, 2)
    maps = samples @ first.weight.T + first.bias
    expected = torch.stack([maps[:, 4 * unit : 4 * unit + 4].max(1).values for unit in range(3)], 1)
    assert torch.equal(network.features(samples), expected)
