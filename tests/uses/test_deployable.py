"""A generator for other programs: its pixels, and layers that other programs would compute for nothing."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from ganctl.models.parts.convolutions import Conv2d, ConvTranspose2d
from ganctl.models.parts.resampling import DoublingConv2d
from ganctl.models.parts.residual import ConditionalBatchNorm
from ganctl.samples import SampleSpace
from ganctl.uses.deployable import Deployable, Pixels
from tests.uses.untrained import deployable, inputs_of, model_of

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


class Layers(nn.Module):
    """A generator of whichever layers, from latents [batch, 4] as they are or as maps of 2×2 pixels."""

    def __init__(self, *layers: nn.Module, maps: bool = True) -> None:
        super().__init__()
        self.layers, self.maps = nn.Sequential(*layers), maps

    def forward(self, latents: Tensor) -> Tensor:
        made: Tensor = self.layers(latents[:, :, None, None].repeat(1, 1, 2, 2) if self.maps else latents)
        return made


def seasoned(*layers: nn.Module, maps: bool = True) -> Deployable:
    """Return a generator of layers whose batch norms have seen and learned something."""
    for layer in layers:
        if isinstance(layer, NORMS):
            for values in (layer.running_mean, layer.weight, layer.bias):
                if values is not None:
                    nn.init.normal_(values)
            if layer.running_var is not None:
                nn.init.uniform_(layer.running_var, 0.1, 3)
    network = Layers(*layers, maps=maps)
    return Deployable(network, model_of("mlp"), SampleSpace.of_shape((1, 8, 8)), "own")


def norms_in(generator: Deployable) -> int:
    return sum(isinstance(module, NORMS) for module in generator.modules())


FOLDED = {
    "linear": lambda: seasoned(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(), maps=False),
    "linear without bias": lambda: seasoned(nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3), maps=False),
    "convolution": lambda: seasoned(nn.Conv2d(4, 3, 3, 2, 1), nn.BatchNorm2d(3, eps=0.1), nn.Tanh()),
    "grouped as one": lambda: seasoned(Conv2d(4, 3, 2, bias=False), nn.BatchNorm2d(3)),
    "transposed": lambda: seasoned(nn.ConvTranspose2d(4, 3, 4, 2, 1), nn.BatchNorm2d(3, affine=False)),
    "transposed, from one place": lambda: seasoned(
        nn.AvgPool2d(2), ConvTranspose2d(4, 3, 4, bias=False), nn.BatchNorm2d(3)
    ),
    "two": lambda: seasoned(Conv2d(4, 3, 1), nn.BatchNorm2d(3), ConvTranspose2d(3, 2, 3), nn.BatchNorm2d(2)),
    "spectral": lambda: seasoned(spectral_norm(Conv2d(4, 3, 3, padding=1)), nn.BatchNorm2d(3)),
}
KEPT = {
    "after an activation": lambda: seasoned(Conv2d(4, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)),
    "alone": lambda: seasoned(nn.BatchNorm2d(4), Conv2d(4, 3, 1)),
    "transposed in groups": lambda: seasoned(nn.ConvTranspose2d(4, 4, 2, groups=2), nn.BatchNorm2d(4)),
    "another convolution": lambda: seasoned(DoublingConv2d(4, 3), nn.BatchNorm2d(3)),
    "another norm": lambda: seasoned(Conv2d(4, 3, 1), ConditionalBatchNorm(3)),
    "without statistics": lambda: seasoned(Conv2d(4, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)),
}


@pytest.mark.parametrize("name", FOLDED | KEPT)
def test_a_batch_norm_is_folded_into_the_layer_that_it_follows(name: str) -> None:
    torch.manual_seed(0)
    generator = (FOLDED | KEPT)[name]()
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    latents = torch.randn(6, 4)
    folded = generator.folded()
    assert norms_in(folded) == (0 if name in FOLDED else norms_in(generator))
    assert norms_in(generator) > 0
    torch.testing.assert_close(
        folded(latents), generator(latents), rtol=1e-5, atol=1e-5
    )  # fp32, sums of 36 at most
    assert generator.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())


@pytest.mark.parametrize("model", ["dcgan", "mlp", "resnet", "fastgan"])
def test_the_generators_of_ganctl_lose_norms_and_parametrizations_and_keep_their_samples(model: str) -> None:
    words = ["model.generator.spectral=true"] if model == "resnet" else []
    generator = deployable(model, *words, conditional=True)
    plain, folded = generator.plain(), generator.folded()
    assert not any(map(is_parametrized, folded.modules()))
    assert any(map(is_parametrized, generator.modules())) == (model in ("resnet", "fastgan"))
    assert norms_in(plain) == norms_in(generator) > 0
    assert (norms_in(folded) == 0) == (model in ("dcgan", "mlp"))
    inputs = inputs_of(generator)
    torch.testing.assert_close(plain(*inputs), generator(*inputs), rtol=0, atol=1e-6)
    torch.testing.assert_close(folded(*inputs), generator(*inputs), rtol=0, atol=1e-6)


def test_the_network_that_was_given_is_left_as_it_is() -> None:
    network = nn.Linear(4, 2).double().train()
    generator = Deployable(network, model_of("mlp"), SampleSpace.of_shape((2,)))
    latents = torch.randn(3, 4)
    assert (generator(latents).dtype, generator.network.training) == (torch.float32, False)
    assert (network.weight.dtype, network.training, network.weight.requires_grad) == (torch.float64, True, True)


@pytest.mark.parametrize(
    ("pixels", "value_range", "expected", "told"),
    [
        ("uint8", (-1.0, 1.0), [0, 0, 128, 255, 255], (0, 255)),
        ("float", (-1.0, 1.0), [0, 0, 0.5, 1, 1], (0, 1)),
        ("own", (-1.0, 1.0), [-3, -1, 0, 1, 3], (-1.0, 1.0)),
        ("uint8", (0.0, 1.0), [0, 0, 0, 255, 255], (0, 255)),
        ("float", (0.0, 1.0), [0, 0, 0, 1, 1], (0, 1)),
    ],
)
def test_pixels_are_those_that_are_asked_for(
    pixels: Pixels, value_range: tuple[float, float], expected: list[float], told: Any
) -> None:
    space = SampleSpace.of_shape((1, 1, 5), value_range)
    generator = Deployable(nn.Unflatten(1, (1, 1, 5)), model_of("mlp"), space, pixels)
    images = generator(torch.tensor([[-3.0, -1.0, 0.0, 1.0, 3.0]]))
    assert images.flatten().tolist() == expected
    assert images.shape == ((1, 1, 5, 1) if pixels == "uint8" else (1, 1, 1, 5))
    assert generator.value_range() == told
    assert generator.output().startswith(str(images.dtype).removeprefix("torch."))


def test_points_are_as_they_are() -> None:
    generator = Deployable(nn.Identity(), model_of("mlp"), SampleSpace.of_shape((2,)))
    points = torch.randn(3, 2) * 10
    assert torch.equal(generator(points), points)
    assert (generator.value_range(), generator.output()) == (None, "float32 [batch, dimensions]")
