"""Grouped convolutions and resampling: torch's values, exact second gradients, one call for all groups."""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.functional import conv2d, conv_transpose2d

from ganctl.models.parts.convolutions import gradients_at_samples_alone
from ganctl.models.parts.grouped import GroupedConv2d
from ganctl.models.parts.interpolation import doubled, halved

LAYERS = {
    "1×1": lambda: GroupedConv2d(4, 6, 1),
    "1×1 without bias": lambda: GroupedConv2d(4, 6, 1, bias=False),
    "3×3": lambda: GroupedConv2d(4, 6, 3),
    "3×3 in groups": lambda: GroupedConv2d(6, 6, 3, 2),
    "3×3 in groups of one": lambda: GroupedConv2d(4, 4, 3, 1, bias=False),
    "3×3 in groups to more channels": lambda: GroupedConv2d(4, 6, 3, 2),
}


@pytest.mark.parametrize("name", LAYERS)
def test_values_are_torchs(name: str) -> None:
    layer = LAYERS[name]().double()
    maps = torch.randn(2, layer.in_channels, 5, 3).double()
    torch.testing.assert_close(layer(maps), nn.Conv2d.forward(layer, maps), rtol=0, atol=0)


@pytest.mark.parametrize("name", LAYERS)
def test_first_and_second_gradients_are_exact(name: str) -> None:
    layer = LAYERS[name]().double()
    inputs = [torch.randn(2, layer.in_channels, 4, 3).double().requires_grad_(), *layer.parameters()]

    def forward(maps: Tensor, *weights: Tensor) -> Tensor:
        names = [name for name, _ in layer.named_parameters()]
        found: Tensor = torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (maps,))
        return found

    assert gradcheck(forward, inputs)
    assert gradgradcheck(forward, inputs)


@pytest.mark.parametrize("name", LAYERS)
def test_in_bf16_gradients_of_both_orders_are_torchs(name: str) -> None:
    layer = LAYERS[name]()
    maps = torch.randn(3, layer.in_channels, 6, 6, requires_grad=True)

    def orders(forward: object) -> list[Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            result = layer(maps) if forward is None else nn.Conv2d.forward(layer, maps)
        assert result.dtype == torch.bfloat16
        weights = list(layer.parameters())
        first = torch.autograd.grad(result.float().pow(2).sum(), [maps, *weights], create_graph=True)
        second = torch.autograd.grad(first[0].float().pow(2).sum(), [maps, layer.weight])
        return [*first, *second]

    for found, expected in zip(orders(None), orders(nn.Conv2d), strict=True):
        assert found.dtype == torch.float32
        assert (found - expected).detach().norm() <= 0.02 * expected.detach().norm()


def test_second_gradients_take_one_call_for_all_groups() -> None:
    layer = GroupedConv2d(24, 24, 3, 2, bias=False)
    maps = torch.randn(2, 24, 8, 8, requires_grad=True)
    with torch.profiler.profile() as profile:
        with gradients_at_samples_alone():
            (first,) = torch.autograd.grad(layer(maps).sum(), maps, create_graph=True)
        first.pow(2).sum().backward()
    calls = [event.name for event in profile.events() or []]
    assert calls.count("aten::convolution") <= 3
    assert calls.count("aten::convolution_backward") == 1


KERNEL = torch.tensor([1.0, 3, 3, 1]).double()


def by_kernel(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return maps halved and doubled by convolutions with [1, 3, 3, 1]."""
    channels = maps.shape[1]
    kernel = (KERNEL[:, None] * KERNEL).expand(channels, 1, 4, 4) / 64
    return (
        conv2d(maps, kernel, stride=2, padding=1, groups=channels),
        conv_transpose2d(maps, 4 * kernel, stride=2, padding=1, groups=channels),
    )


@pytest.mark.parametrize("shape", [(2, 3, 4, 6), (1, 2, 2, 2), (2, 1, 8, 2)])
def test_resampling_is_convolution_with_the_kernel(shape: tuple[int, ...]) -> None:
    maps = torch.randn(shape).double()
    torch.testing.assert_close((halved(maps), doubled(maps)), by_kernel(maps), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("resample", [halved, doubled])
def test_resampling_has_exact_gradients(resample: object) -> None:
    maps = torch.randn(2, 2, 4, 6).double().requires_grad_()
    assert callable(resample)
    assert gradcheck(resample, maps)
    assert gradgradcheck(resample, maps)
