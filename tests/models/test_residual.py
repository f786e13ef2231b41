"""Residual blocks, conditional batch norm and attention: the official numbers; merged convolutions are exact."""

import copy
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.nn.functional import avg_pool2d, conv2d, interpolate

from ganctl.models.parts.attention import SelfAttention
from ganctl.models.parts.resampling import CONVOLUTIONS, HalvingConv2d
from ganctl.models.parts.residual import ConditionalBatchNorm, DiscriminatorBlock, GeneratorBlock
from tests.models.official import ATTENTION, BLOCK, check, plain, renamed, spectral, split, spoil, unspoilt
from tests.reference.vectors import read

PREPARED = {"nosn": plain, "sn": spectral}


@pytest.mark.parametrize("kind", ["nosn", "sn"])
@pytest.mark.parametrize(("shape", "outputs"), [("down", 10), ("same", 8)])
def test_the_discriminators_blocks_are_mimicrys(shape: str, outputs: int, kind: str) -> None:
    case = read(f"mimicry_dblock_{shape}_{kind}")
    block = partial(DiscriminatorBlock, 8, outputs, PREPARED[kind], hidden=8, halves=shape == "down")
    untold = {name.partition(".")[0] for name in check(unspoilt(case), block(), BLOCK, "y")}
    assert untold <= {"conv1", "conv2"}
    spoilt = block()
    spoil(spoilt)
    assert not check(case, spoilt, BLOCK, "y")


def test_the_first_block_is_mimicrys() -> None:
    block = DiscriminatorBlock(3, 8, spectral, hidden=8, halves=True, first=True)
    assert not check(read("mimicry_dblock_optimized"), block, BLOCK, "y")


@pytest.mark.parametrize("name", ["first", "pre"])
def test_wide_blocks_are_unetgans(name: str) -> None:
    table = {**BLOCK, "conv1": "conv1", "conv2": "conv2", "shortcut": "conv_sc"}
    block = DiscriminatorBlock(6, 8, spectral, hidden=8, halves=True, first=name == "first")
    assert not check(renamed(read(f"unetgan_dblock_{name}")), block, table, "y")


@pytest.mark.parametrize("name", ["up", "same", "cond"])
def test_the_generators_blocks_are_mimicrys(name: str) -> None:
    case = split(read(f"mimicry_gblock_{name}"))
    norms = partial(ConditionalBatchNorm.of_classes, classes=5 if name == "cond" else 0)
    outputs, upsample = (8, None) if name == "same" else (6, "bilinear")
    block = GeneratorBlock(8, outputs, norms, plain, upsample)
    labels = case.tensors.get("in.y")
    assert not check(case, block, BLOCK, "y", lambda block, maps: block(maps, labels))


def test_conditional_batch_norm_is_mimicrys() -> None:
    case = split(read("mimicry_conditional_batchnorm"))
    norm = ConditionalBatchNorm.of_classes(6, 5)
    assert not check(case, norm, {}, "y", lambda norm, maps: norm(maps, case["in.y"]))


def test_conditional_batch_norm_starts_near_the_plain_one() -> None:
    maps, labels = torch.randn(4, 6, 3, 3), torch.tensor([0, 1, 2, 2])
    conditional = ConditionalBatchNorm.of_classes(6, 3)
    assert torch.allclose(conditional(maps, labels), nn.BatchNorm2d(6, affine=False)(maps), rtol=0.1)
    assert sum(each.numel() for each in conditional.parameters()) == 2 * 3 * 6
    assert [each.shape for each in ConditionalBatchNorm.of_classes(6, 0).parameters()] == [(6,), (6,)]


@pytest.mark.parametrize(("name", "kind"), [("self_attention", "sn"), ("self_attention_nosn", "nosn")])
def test_attention_is_mimicrys(name: str, kind: str) -> None:
    assert not check(read(f"mimicry_{name}"), SelfAttention(16, PREPARED[kind]), ATTENTION, "y")


def test_attention_is_unetgans() -> None:
    assert not check(renamed(read("unetgan_attention")), SelfAttention(16, spectral), ATTENTION, "y")


def test_attention_starts_as_the_identity() -> None:
    maps = torch.randn(2, 16, 6, 4)
    assert torch.equal(SelfAttention(16, plain)(maps), maps)


@pytest.mark.parametrize("upsample", ["nearest", "bilinear", None])
def test_enlarging_convolutions_are_what_they_say(upsample: str | None) -> None:
    layer = CONVOLUTIONS[upsample](3, 5).double()
    maps = torch.randn(2, 3, 4, 6).double()
    enlarged = interpolate(maps, scale_factor=2, mode=upsample) if upsample else maps
    expected = conv2d(enlarged, layer.weight, layer.bias, padding=1)
    assert torch.allclose(layer(maps), expected, rtol=0, atol=1e-13)


def test_a_halving_convolution_is_what_it_says() -> None:
    layer = HalvingConv2d(3, 5).double()
    maps = torch.randn(2, 3, 4, 6).double()
    expected = avg_pool2d(conv2d(maps, layer.weight, layer.bias, padding=1), 2)
    assert torch.allclose(layer(maps), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", ["halving", "doubling"])
def test_their_derivatives_are_right_twice(kind: str) -> None:
    layer = (HalvingConv2d(2, 2) if kind == "halving" else CONVOLUTIONS["nearest"](2, 2)).double()

    def output(maps: Tensor, weight: Tensor) -> Tensor:
        found: Tensor = torch.func.functional_call(layer, {"weight": weight}, (maps,))
        return found.square()

    inputs = (torch.randn(1, 2, 4, 2).double().requires_grad_(), layer.weight.detach().clone().requires_grad_())
    assert gradcheck(output, inputs)
    assert gradgradcheck(output, inputs)


SPECTRAL = {
    "conv": (nn.Conv2d(4, 6, 3, padding=1), "x"),
    "linear": (nn.Linear(7, 5), "v"),
    "embedding": (nn.Embedding(5, 6), "y"),
}


@pytest.mark.parametrize("name", SPECTRAL)
def test_spectral_norm_iterates_as_theirs(name: str) -> None:
    # Theirs takes v from u, then u from v; torch's, the other way round, stores v half an iteration ahead.
    case, (layer, inputs) = read("mimicry_spectral_norm"), SPECTRAL[name]
    normed = spectral(copy.deepcopy(layer).double(), 1.0)
    with torch.no_grad():
        normed.parametrizations.weight.original.copy_(case[f"w.{name}.weight_orig"])
        if f"w.{name}.bias" in case.tensors:
            normed.bias.copy_(case[f"w.{name}.bias"])
        norm = normed.parametrizations.weight[0]
        norm._v.copy_(case[f"{name}.after_first.v"])
        samples = case[f"in.{inputs}"]
        normed(samples)
        case.check(f"{name}.after_first.u", norm._u)
        second = norm._v.clone()
        normed(samples)
        case.check(f"{name}.after_second.u", norm._u)
        norm._v.copy_(second)
        case.check(f"{name}.eval", normed.eval()(samples))


class Counted(nn.Module):
    """A parametrization that counts how often a weight is asked for."""

    count = 0

    def forward(self, weight: Tensor) -> Tensor:
        self.count += 1
        return weight


def test_a_forward_asks_for_each_weight_once() -> None:
    def prepare(layer: nn.Module, gain: float) -> nn.Module:
        return nn.utils.parametrize.register_parametrization(layer, "weight", Counted())

    attention = SelfAttention(24, prepare)
    judge = DiscriminatorBlock(24, 10, prepare, hidden=9, halves=True)
    generator = GeneratorBlock(10, 7, ConditionalBatchNorm, prepare, "nearest")
    network = nn.Sequential(attention, judge, generator)
    counted = [each for each in network.modules() if isinstance(each, Counted)]
    for each in counted:
        each.count = 0
    network(torch.randn(2, 24, 4, 4))
    assert [each.count for each in counted] == [1] * 10
