"""FastGAN against the authors' networks: outputs, gradients, running statistics, sizes."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, interpolate, normalize

from ganctl.models import MODELS
from ganctl.models.fastgan import Decoder, FastganGenerator
from ganctl.models.parts.convolutions import ConvTranspose2d
from ganctl.models.parts.gated import (
    Excitation,
    Halving,
    HalvingPair,
    Noise,
    batch_norm,
    doubling,
    gated,
    normalised,
)
from ganctl.samples import SampleSpace
from tests.composed import composed
from tests.models.official import check, theirs
from tests.reference.vectors import GRADIENTS, Case, official_sizes, read

GATED = {"0.conv": "1", "0.norm": "2"}
NOISY = {
    f"{number}.{ours}": str(place + 4 * number)
    for number in (0, 1)
    for ours, place in (("conv", 1), ("noise", 2), ("norm", 3))
}
EXCITATION = {"squeeze": "main.1", "excite": "main.3"}
HALVING = {"conv": "main.0", "norm": "main.1"}
PAIR = {
    "halve.conv": "main.0",
    "halve.norm": "main.1",
    "conv": "main.3",
    "norm": "main.4",
    "direct": "direct.1",
    "direct_norm": "direct.2",
}


def model_of(*overrides: str) -> Any:
    return MODELS["fastgan"].model_validate(composed("model=fastgan", *overrides)["model"])


def space(side: int = 256, classes: int = 0) -> SampleSpace:
    return SampleSpace.of_shape((3, side, side), classes=tuple(map(str, range(classes))))


def within(ours: str, official: str, names: Mapping[str, str]) -> dict[str, str]:
    return {f"{ours}.{mine}": f"{official}.{other}" for mine, other in names.items()}


def drawing(case: Case, network: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let noise be the file's, in training and again in evaluation mode, where theirs has it too."""
    draws = list(case.under("draw.").values()) * 2
    monkeypatch.setattr("ganctl.models.parts.gated.torch.randn", lambda *shape, **where: draws.pop(0))
    for each in network.modules():
        if isinstance(each, Noise):
            monkeypatch.setattr(each, "train", lambda mode=True: None)


def test_the_first_layer_is_the_authors() -> None:
    case = read("fastgan_initlayer")
    layers = nn.Sequential(normalised(ConvTranspose2d(6, 16, 4, bias=False)), batch_norm(16))
    table = {"0": "init.0", "1": "init.1"}
    case.load(layers, table)
    latents = case["in.z"].clone().requires_grad_()
    maps = gated(layers(latents[:, :, None, None]))
    case.check("out.y", maps)
    case.scalar({"y": maps}).backward()
    assert latents.grad is not None
    case.check("grad.in.z", latents.grad, GRADIENTS)
    assert case.check_gradients(layers, table) == set()
    case.check("eval.y", gated(layers.eval()(case["in.z"][:, :, None, None])))


BLOCKS: dict[str, tuple[nn.Module, Mapping[str, str]]] = {
    "upblock": (doubling(6, 4, noisy=False), GATED),
    "upblockcomp": (doubling(6, 4, noisy=True), NOISY),
    "downblock": (Halving(5, 6), HALVING),
    "downblockcomp": (HalvingPair(5, 6), PAIR),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_is_the_authors(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = read(f"fastgan_{name}")
    block, table = BLOCKS[name]
    drawing(case, block, monkeypatch)
    assert check(case, block, table, "y") == set()


def test_skip_layer_excitation_is_the_authors() -> None:
    case, block = read("fastgan_seblock"), Excitation(6, 5)
    case.load(block, EXCITATION)
    small, big = (case[f"in.{name}"].clone().requires_grad_() for name in ("small", "big"))
    maps = block(small, big)
    case.check("out.y", maps)
    case.scalar({"y": maps}).backward()
    for name, values in (("small", small), ("big", big)):
        assert values.grad is not None
        case.check(f"grad.in.{name}", values.grad, GRADIENTS)
    assert case.check_gradients(block, EXCITATION) == set()


def official_generator() -> dict[str, str]:
    table = {"project": "init.init.0", "norm": "init.init.1", "pixels": "to_big"}
    for level in range(6):
        table |= within(f"blocks.{level}", f"feat_{8 << level}", GATED if level % 2 else NOISY)
    for level in range(3):
        table |= within(f"excitations.{level}", f"se_{64 << level}", EXCITATION)
    return table


def without(case: Case, head: str) -> Case:
    """Return a case without a part of the network; the gradients of what is left are others."""
    left = {name: values for name, values in case.tensors.items() if head not in name}
    return Case(left, case.rounded, case.metadata)


def test_the_generator_makes_the_authors_image_of_256_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    case = without(read("fastgan_generator256"), "to_128")
    generator = model_of("model.latent=6", "model.generator.width=2").build_generator(space())
    generator.output = nn.Identity()  # theirs has none at this side
    drawing(case, generator, monkeypatch)
    table = official_generator()
    case.load(generator, table)
    latents = case["in.z"].clone()
    case.check("out.img256_s", generator(latents)[:, :, 3::16, 5::16])
    for name, buffer in generator.named_buffers():
        if "running" in name:
            case.check(f"after.{theirs(name, table)}", buffer)
    case.check("eval.img256_s", generator.eval()(latents)[:, :, 3::16, 5::16])


class WithSmallImage(nn.Module):
    """The generator and the authors' second head, a 1×1 convolution of the maps of 128 pixels."""

    def __init__(self, generator: FastganGenerator, weight: Tensor) -> None:
        super().__init__()
        self.generator = generator
        self.weight = weight
        generator.excitations[1].register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...], maps: Tensor) -> None:
        self.maps = maps

    def forward(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        large = self.generator(latents)
        return large, nn.functional.conv2d(self.maps, self.weight)


def test_its_gradients_are_the_authors_once_their_second_head_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    case = read("fastgan_generator256")
    generator = model_of("model.latent=6", "model.generator.width=2").build_generator(space())
    generator.output = nn.Identity()
    drawing(case, generator, monkeypatch)
    table = official_generator()
    without(case, "to_128").load(generator, table)
    weight, u = (case[f"w.to_128.weight_{part}"] for part in ("orig", "u"))
    head = weight / (normalize(u @ weight.flatten(1), dim=0) @ weight.flatten(1).T).norm()
    latents = case["in.z"].clone().requires_grad_()
    large, small = WithSmallImage(generator, head)(latents)
    images = {"img256_s": large[:, :, 3::16, 5::16], "img128_s": small[:, :, 1::8, 2::8]}
    case.check("out.img128_s", images["img128_s"])
    case.scalar(images).backward()
    assert latents.grad is not None
    case.check("grad.in.z", latents.grad, GRADIENTS)
    assert case.check_gradients(generator, table) == set()


def test_the_discriminator_is_the_authors() -> None:
    case = read("fastgan_discriminator256")
    network = model_of("model.discriminator.width=4").build_discriminator(space())
    table = {
        "stem.0": "down_from_big.0",
        "small.0": "down_from_small.0",
        "patches.0": "rf_big.0",
        "patches.1": "rf_big.1",
        "patches.3": "rf_big.3",
        "small_patches": "rf_small",
    }
    for level in range(5):
        table |= within(f"blocks.{level}", f"down_{4 << level}", PAIR)
    for level in range(3):
        table |= within(f"excitations.{level}", f"se_{2 << level}_{16 << level}", EXCITATION)
        table |= within(f"small.{level + 2}", f"down_from_small.{level + 2}", HALVING)

    def judged(module: nn.Module, images: Tensor) -> Tensor:
        logits = module(interpolate(images, 256))
        return torch.cat([patches.t().flatten() for patches in logits.chunk(2)])

    assert check(case, network, table, "rf", judged) == set()


def spelt_out(case: Case, network: nn.Module, table: Mapping[str, str]) -> Case:
    """Return a case with the weights that the file gives by a formula, in the order of the parameters."""
    order = ("conv", "1.weight_orig"), ("norm.weight", "2.weight"), ("norm.bias", "2.bias")
    names = [(f"{level}.0.{ours}", f"main.{level + 1}.{name}") for level in range(4) for ours, name in order]
    layers, tensors = dict(network.named_modules()), dict(case.tensors)
    parameters = dict(network.named_parameters())
    for number, (ours, name) in enumerate([*names, ("4", "main.5.weight_orig")]):
        shape = layers[ours].weight.shape if ours in layers else parameters[ours].shape
        wave = torch.sin(0.7 * torch.arange(shape.numel(), dtype=torch.float64) + number).reshape(shape)
        if len(shape) == 4:
            tensors[f"w.{name}"] = wave * (2 / shape[1:].numel()) ** 0.5
        else:
            tensors[f"w.{name}"] = 0.3 * wave + name.endswith("weight")
    for name, buffer in network.named_buffers():
        if "running" in name:
            tensors[f"w.{theirs(name, table)}"] = buffer.double().clone()
    return Case(tensors, case.rounded, case.metadata)


def test_a_decoder_is_the_authors() -> None:
    decoder = Decoder(5, 3, 4, "tanh")
    table = {"4": "main.5"}
    for level in range(4):
        table |= within(str(level), f"main.{level + 1}", GATED)
    case = spelt_out(read("fastgan_decoder"), decoder, table)

    def painted(module: nn.Module, features: Tensor) -> Tensor:
        return module(adaptive_avg_pool2d(features, 8))[:, :, 1::8, 2::8]

    renamed = {name: name.replace("in.feat", "in.x") for name in case.tensors}
    tensors = {renamed[name]: values for name, values in case.tensors.items()}
    case = Case(tensors, frozenset(renamed[name] for name in case.rounded), case.metadata)
    assert check(case, decoder, table, "img_s", painted) == set()


OFFICIAL = [name for name in official_sizes() if name.startswith("FastGAN")]


@pytest.mark.parametrize("name", OFFICIAL)
@pytest.mark.usefixtures("quick_spectral_norm")
def test_full_size_networks_have_the_official_number_of_parameters(name: str) -> None:
    size = official_sizes()[name]
    side = size["constructor"]["im_size"]
    with torch.device("meta"):
        if name.endswith("G"):
            built, left_out = model_of().build_generator(space(side)), 3 * 64  # the head of 128 pixels
        else:
            built, left_out = model_of("model.discriminator.decoders=true").build_discriminator(space(side)), 0
    assert sum(parameter.numel() for parameter in built.parameters()) + left_out == size["parameters"]


def test_every_official_size_is_built() -> None:
    assert sorted(OFFICIAL) == [f"FastGAN {side} {which}" for side in (1024, 256, 512) for which in "DG"]
