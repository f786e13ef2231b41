"""Convolutions by other means: torch's values, first and second gradients, and none of its slow ways."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganctl.models.parts import convolutions
from ganctl.models.parts.convolutions import Conv2d, ConvTranspose2d

PAIRS = {Conv2d: nn.Conv2d, ConvTranspose2d: nn.ConvTranspose2d}
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "pixels": (lambda: Conv2d(1, 6, 4, 2, 1), (1, 8, 8)),
    "colours, kernel 5": (lambda: Conv2d(3, 5, 5, 2, 2, bias=False), (3, 7, 9)),
    "a kernel of two sides": (lambda: Conv2d(2, 5, (4, 3), (2, 1), (1, 0)), (2, 8, 6)),
    "many channels": (lambda: Conv2d(8, 6, 4, 2, 1), (8, 8, 8)),
    "one place": (lambda: Conv2d(6, 1, 4), (6, 4, 4)),
    "one place, many outputs": (lambda: Conv2d(3, 7, (4, 2), bias=False), (3, 4, 2)),
    "to pixels": (lambda: ConvTranspose2d(6, 1, 4, 2, 1), (6, 4, 4)),
    "to colours, kernel 5": (lambda: ConvTranspose2d(6, 3, 5, 2, 2, 1, bias=False), (6, 3, 5)),
    "to pixels, two sides": (lambda: ConvTranspose2d(6, 2, (4, 3), (2, 1), (1, 0)), (6, 4, 3)),
    "to many channels": (lambda: ConvTranspose2d(6, 8, 4, 2, 1), (6, 4, 4)),
    "from one place": (lambda: ConvTranspose2d(5, 6, 4), (5, 1, 1)),
    "from one place to pixels": (lambda: ConvTranspose2d(5, 3, (4, 2), bias=False), (5, 1, 1)),
    "grouped": (lambda: Conv2d(2, 4, 4, 2, 1, groups=2), (2, 8, 8)),
    "dilated": (lambda: ConvTranspose2d(6, 1, 3, 2, 1, dilation=2), (6, 4, 4)),
    "words for padding": (lambda: Conv2d(1, 4, 3, padding="same"), (1, 6, 6)),
    "reflected": (lambda: Conv2d(1, 4, 3, padding=1, padding_mode="reflect"), (1, 6, 6)),
}


def torchs(layer: nn.Module, samples: Tensor) -> Tensor:
    """Return what torch's own class makes of the samples with our layer's weights."""
    kind = next(theirs for ours, theirs in PAIRS.items() if isinstance(layer, ours))
    found: Tensor = kind.forward(layer, samples)  # type: ignore[operator]
    return found


def both_orders(result: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    """Return first gradients of the result's cube, and second ones by way of the gradient at the samples."""
    first = torch.autograd.grad(result.pow(3).sum(), inputs, create_graph=True)
    second = torch.autograd.grad(first[0].pow(2).sum(), inputs, allow_unused=True, materialize_grads=True)
    return [result, *first, *second]


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients_of_both_orders_are_torchs(name: str, memory_format: torch.memory_format) -> None:
    make, shape = LAYERS[name]
    layer = make().double().to(memory_format=memory_format)
    samples = torch.randn(3, *shape, dtype=torch.float64).to(memory_format=memory_format).requires_grad_()
    inputs = [samples, *layer.parameters()]
    ours, theirs = both_orders(layer(samples), inputs), both_orders(torchs(layer, samples), inputs)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_samples_without_gradient_are_convolved_alike(name: str) -> None:
    make, shape = LAYERS[name]
    layer = make().double()
    samples = torch.randn(3, *shape, dtype=torch.float64)
    inputs = list(layer.parameters())
    ours, theirs = layer(samples), torchs(layer, samples)
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    found, expected = (torch.autograd.grad(result.pow(2).sum(), inputs) for result in (ours, theirs))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_under_autocast_types_are_torchs_and_values_differ_by_rounding(name: str) -> None:
    make, shape = LAYERS[name]
    layer = make()
    samples = torch.randn(3, *shape, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = layer(samples), torchs(layer, samples)
    assert ours.dtype == theirs.dtype == torch.bfloat16
    torch.testing.assert_close(ours, theirs, rtol=2e-2, atol=2e-2)
    inputs = [samples, *layer.parameters()]
    found, expected = (torch.autograd.grad(result.float().sum(), inputs) for result in (ours, theirs))
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=2e-2, atol=2e-2 * float(other.abs().max()))


@pytest.mark.parametrize("name", ["pixels", "one place", "to pixels", "from one place"])
def test_spectral_norm_sees_the_layer_that_it_wraps(name: str) -> None:
    make, shape = LAYERS[name]
    layer = spectral_norm(make().double()).eval()
    samples = torch.randn(3, *shape, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(layer(samples), torchs(layer, samples), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["pixels", "one place", "to pixels", "from one place"])
def test_the_slow_ways_are_not_taken(name: str) -> None:
    make, shape = LAYERS[name]
    layer, samples = make(), torch.randn(3, *shape, requires_grad=True)
    with torch.profiler.profile() as profile:
        layer(samples).sum().backward()
    ways = {event.name for event in profile.events() or []}
    assert ("aten::col2im" in ways) == ("pixels" in name)
    assert ("aten::convolution" in ways) == ("pixels" in name)  # the fast direction


MANY: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "down": (lambda: Conv2d(128, 8, 4, 2, 1), (128, 8, 6)),
    "down, kernel 5, sides that leave a rest": (lambda: Conv2d(130, 8, (5, 4), (2, 3), (2, 1)), (130, 9, 8)),
    "up": (lambda: ConvTranspose2d(8, 128, 4, 2, 1, bias=False), (8, 4, 3)),
    "up, kernel 5": (lambda: ConvTranspose2d(8, 129, 5, 2, 2, 1), (8, 4, 4)),
}


@pytest.mark.parametrize("name", MANY)
def test_gradients_at_many_channels_are_torchs(name: str) -> None:
    make, shape = MANY[name]
    layer, samples = make().double(), torch.randn(5, *shape, dtype=torch.float64, requires_grad=True)
    inputs = [samples, *layer.parameters()]
    ours, theirs = layer(samples), torchs(layer, samples)
    found, expected = (torch.autograd.grad(result.pow(2).sum(), inputs) for result in (ours, theirs))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("samples", [3, 1000])
@pytest.mark.parametrize("name", ["down", "up"])
def test_gradients_at_many_channels_are_convolutions_over_the_batch_where_that_is_faster(
    name: str, samples: int
) -> None:
    make, shape = MANY[name]
    layer = make()
    with torch.profiler.profile() as profile:
        layer(torch.randn(samples, *shape)).sum().backward()
    ways = [event.name for event in profile.events() or []]
    assert ("aten::convolution_backward" in ways) == (samples == 1000)
    assert ways.count("aten::conv2d") + ways.count("aten::conv_transpose2d") == (2 if samples == 3 else 1)


@pytest.mark.parametrize("name", MANY)
def test_in_bf16_gradients_at_many_channels_are_as_near_to_exact_ones_as_torchs(name: str) -> None:
    make, shape = MANY[name]
    layer = make()
    samples = torch.randn(5, *shape)

    def gradients(forward: Callable[[nn.Module, Tensor], Tensor], dtype: torch.dtype) -> list[Tensor]:
        ours = make().to(dtype)
        ours.load_state_dict(layer.state_dict())
        inputs = samples.to(dtype).requires_grad_()
        result = forward(ours, inputs)
        upstream = torch.linspace(-1, 1, result.numel()).reshape(result.shape).to(dtype)
        return [found.double() for found in torch.autograd.grad(result, [inputs, *ours.parameters()], upstream)]

    exact = gradients(torchs, torch.float64)
    ours, theirs = (gradients(way, torch.bfloat16) for way in (lambda layer, inputs: layer(inputs), torchs))
    for found, other, right in zip(ours, theirs, exact, strict=True):
        assert float((found - right).norm()) <= 1.5 * float((other - right).norm()) + 1e-3 * float(right.norm())


@pytest.mark.parametrize("name", MANY)
def test_in_bf16_second_gradients_at_many_channels_are_torchs(name: str) -> None:
    make, shape = MANY[name]
    layer = make().bfloat16()
    samples = torch.randn(3, *shape).bfloat16().requires_grad_()
    inputs = [samples, layer.weight]
    ours, theirs = both_orders(layer(samples), inputs), both_orders(torchs(layer, samples), inputs)
    for found, other in zip(ours, theirs, strict=True):
        assert (found - other).detach().norm() <= 0.02 * other.detach().norm()


@pytest.mark.parametrize("case", [LAYERS["pixels"], LAYERS["to pixels"], MANY["down"], MANY["up"]])
def test_where_gradients_at_samples_alone_are_asked_for_none_at_weights_is_computed(
    case: tuple[Callable[[], nn.Module], tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> Tensor:
        raise AssertionError("the gradient at the weight was computed")

    make, shape = case
    layer = make().bfloat16()
    samples = torch.randn(3, *shape).bfloat16().requires_grad_()
    result = layer(samples)
    monkeypatch.setattr(convolutions, "_at_weight", refuse)
    with convolutions.gradients_at_samples_alone():
        (found,) = torch.autograd.grad(result.sum(), samples, create_graph=True)
    (expected,) = torch.autograd.grad(torchs(layer, samples).sum(), samples)
    torch.testing.assert_close(found, expected, rtol=2e-2, atol=2e-2)
    with pytest.raises(AssertionError, match="at the weight"):
        found.pow(2).sum().backward()
