"""StyleGAN2 against the authors' networks: outputs, gradients, running means, losses, sizes."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from ganctl.auxiliary import PathLength
from ganctl.game.round import Networks, Round, Surroundings
from ganctl.losses import LOSSES
from ganctl.models.latents import LatentSpace
from ganctl.models.parts.styles.deviation import MinibatchDeviation
from ganctl.models.parts.styles.equalized import ACTIVE_GAIN, SLOPE
from ganctl.models.parts.styles.filters import Filter
from ganctl.models.parts.styles.modulation import demodulation, modulated
from ganctl.models.stylegan2 import HalvingBlock
from ganctl.penalties import PENALTIES
from ganctl.runtime.device import open_device
from ganctl.samples import SampleSpace
from tests.models.styles import (
    block_table,
    discriminator_table,
    mapping_table,
    part,
    styled_model,
    synthesis_table,
    unfiltered,
    widths,
)
from tests.reference.vectors import GRADIENTS, Case, official_sizes, read


def leaves(case: Case, *names: str) -> dict[str, Tensor]:
    """Return inputs of a case by name, which collect gradients."""
    return {name: case[f"in.{name}"].clone().requires_grad_() for name in names if f"in.{name}" in case.tensors}


def check_inputs(case: Case, inputs: dict[str, Tensor]) -> None:
    for name, values in inputs.items():
        assert values.grad is not None
        case.check(f"grad.in.{name}", values.grad, GRADIENTS)


FILTERED = {
    "filter2d": Filter((2, 1, 2, 1)),
    "downsample2d": Filter((1, 1, 1, 1), down=2),
    "upsample2d": Filter((2, 2, 2, 2), up=2, gain=4.0),
    "filter2d_asym": Filter((2, 1, 2, 1), taps=(1, 2, 5, 3)),
    "filter2d_asym_flip": Filter((2, 1, 2, 1), taps=(3, 5, 2, 1)),
    "downsample2d_asym": Filter((1, 1, 1, 1), down=2, taps=(1, 2, 5, 3)),
    "upsample2d_asym": Filter((2, 2, 2, 2), up=2, gain=4.0, taps=(1, 2, 5, 3)),
    "upfirdn2d_up2_down1_pad": Filter((2, 0, 0, 4), up=2, gain=4.0, taps=(1, 2, 5, 3)),
    "upfirdn2d_up3_down2": Filter((2, 3, 1, 4), up=3, down=2, taps=(1, 2, 5, 3)),
}
"""Our filters by the file's outputs. Theirs also put zeros after the last pixel: `up` - 1 less padding."""


def test_filters_and_their_gradients() -> None:
    case = read("sg2_upfirdn2d")
    twelve = tuple(case["w.f12"].tolist())
    filters = FILTERED | {
        "downsample2d_separable12": Filter((5, 5, 5, 5), down=2, taps=twelve),
        "upsample2d_separable12": Filter((6, 6, 6, 6), up=2, gain=4.0, taps=twelve),
    }
    inputs = leaves(case, "x")
    outputs = {}
    for name, each in filters.items():
        rounded = case["w.f1331"]  # their taps are float32 after the division by the sum
        if each.taps == (1, 2, 5, 3):
            rounded = case["w.f1253"]
        elif each.taps == twelve:
            rounded = torch.outer(case["w.f12"], case["w.f12"])
        elif each.taps == (3, 5, 2, 1):
            rounded = case["w.f1253"].flip(0, 1)
        kernel = each.double().kernel.clone()
        each.kernel.copy_(rounded.flip(0, 1) * each.gain)
        torch.testing.assert_close(kernel, each.kernel, rtol=1e-6, atol=0)
        outputs[name] = each(inputs["x"])
        case.check(f"out.{name}", outputs[name])
    assert set(outputs) == set(case.under("out."))
    case.scalar(outputs).backward()
    check_inputs(case, inputs)


@pytest.mark.parametrize("settings", [((1, 1, 1, 1), 1, 2), ((2, 2, 2, 2), 2, 1), ((2, 0, 0, 4), 3, 2)])
def test_filters_are_differentiated_twice(settings: tuple[Any, int, int]) -> None:
    padding, up, down = settings
    each = Filter(padding, up, down, taps=(1, 2, 5, 3)).double()
    maps = torch.randn(1, 2, 7, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(each, maps)
    assert torch.autograd.gradgradcheck(each, maps)


@pytest.mark.parametrize(("name", "layers"), [("2layers", 2), ("4layers_cond", 4), ("8layers", 8)])
def test_the_mapping_its_mean_and_truncation(name: str, layers: int) -> None:
    case = unfiltered(f"sg2_mapping_{name}")
    width, latent = case["w.fc0.bias"].shape[0], case["in.z"].shape[1]
    classes = case["in.c"].shape[1] if "in.c" in case.tensors else 0
    words = [f"latent={latent}", f"generator.style={width}", f"generator.mapping={layers}", "generator.mixing=0"]
    space = SampleSpace.of_shape((3, 16, 16), classes=tuple(map(str, range(classes))))
    generator = styled_model(*words, f"conditional={bool(classes)}").build_generator(space)
    del generator.blocks, generator.start  # the file has none
    generator.register_module("blocks", nn.ModuleList([nn.Identity()] * 3))
    table = mapping_table("mapping.", "", layers) | {"mean_style": "w_avg"}
    case.load(generator, table)
    inputs = leaves(case, "z", "c")
    given = list(inputs.values()) if classes == 0 else [inputs["z"], inputs["c"]]
    if classes:
        generator.mapping._columns = lambda columns: columns  # theirs are any numbers
    styles = generator.train().styles(*given)
    case.check("out.ws", styles)
    case.check("after.w_avg", generator.mean_style)
    case.scalar({"ws": styles}).backward()
    check_inputs(case, inputs)
    assert case.check_gradients(generator, table) == set()
    generator.eval()
    for truncation in (-1, 0.7):
        generator.truncation = truncation
        case.check(f"eval.ws_psi{truncation}", generator.styles(*given))


@pytest.mark.parametrize("up", [1, 2])
@pytest.mark.parametrize("demodulates", [True, False])
def test_modulated_convolutions(up: int, demodulates: bool) -> None:
    case = unfiltered(f"sg2_modconv_up{up}_{'demod' if demodulates else 'nodemod'}")
    inputs = leaves(case, "x", "noise")
    weight, styles = (case[f"w.{name}"].clone().requires_grad_() for name in ("weight", "styles"))
    filter = Filter((1, 1, 1, 1), gain=4.0).double() if up == 2 else None
    found = modulated(inputs["x"], weight, styles, filter)
    if demodulates:
        found = found * demodulation(weight, styles)[:, :, None, None]
    found = found + inputs["noise"]
    case.check("out.y", found)
    case.scalar({"y": found}).backward()
    check_inputs(case, inputs)
    for name, values in (("weight", weight), ("styles", styles)):
        assert values.grad is not None
        case.check(f"grad.w.{name}", values.grad, GRADIENTS)


@pytest.mark.parametrize("name", ["32_skip", "16_resnet", "16_orig"])
def test_synthesis(name: str) -> None:
    case = unfiltered(f"sg2_synthesis{name}")
    side, most = case["out.img"].shape[2], case["w.b4.const"].shape[0]
    architecture = name[3:].replace("resnet", "residual")
    words = ["generator.width=8", f"generator.max_width={most}", "generator.style=12"]
    space = SampleSpace.of_shape((3, side, side))
    generator = styled_model(*words, f"generator.architecture={architecture}").build_generator(space).eval()
    del generator.mapping, generator.mean_style  # which the file lacks
    table = synthesis_table(side)
    case.load(generator, table)
    inputs = leaves(case, "ws")
    assert generator.styles_each == inputs["ws"].shape[1]
    images = generator.synthesise(inputs["ws"])
    case.check("out.img", images)
    case.scalar({"img": images}).backward()
    check_inputs(case, inputs)
    assert case.check_gradients(generator, table) == set()
    for key, buffer in generator.named_buffers():
        if key.endswith("noise"):
            buffer.zero_()
    case.check("nonoise.img", generator.synthesise(inputs["ws"]))


@pytest.mark.parametrize("name", ["orig", "resnet", "resnet_first", "skip"])
def test_blocks_of_the_discriminator(name: str) -> None:
    case, first = unfiltered(f"sg2_dblock_{name}"), name == "resnet_first"
    architecture: Any = {"orig": "orig", "skip": "skip"}.get(name, "residual")
    block = HalvingBlock(8, 12, 3, architecture, first=first)
    case.load(block, block_table())
    inputs = leaves(case, "x", "img")
    maps, images = block(inputs.get("x"), inputs.get("img"))
    outputs = {"x": maps} | ({"img": images} if name == "skip" else {})
    for key, values in outputs.items():
        case.check(f"out.{key}", values)
    case.scalar(outputs).backward()
    check_inputs(case, inputs)
    assert case.check_gradients(block, block_table()) == set()


DISCRIMINATORS = {
    "16_orig": (8, 10, "orig", "null", 0),
    "16_resnet_cond": (8, 10, "residual", 2, 5),
    "16_skip": (8, 10, "skip", 4, 0),
    "32_resnet": (8, 12, "residual", 4, 0),
}


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_discriminators(name: str) -> None:
    width, most, architecture, group, classes = DISCRIMINATORS[name]
    case, side = unfiltered(f"sg2_discriminator{name}"), int(name[:2])
    values = {"width": width, "max_width": most, "architecture": architecture, "group": group, "mapping": 3}
    space = SampleSpace.of_shape((3, side, side), classes=tuple(map(str, range(classes))))
    words = [f"discriminator.{key}={value}" for key, value in values.items()]
    model = styled_model(f"conditional={bool(classes)}", *words)
    network, table = model.build_discriminator(space), discriminator_table(side, 3 if classes else 0)
    case.load(network, table)
    inputs = leaves(case, "img", "c")
    if classes:
        network.mapping._columns = lambda columns: columns  # theirs are any numbers
    logits = network(*inputs.values() if not classes else (inputs["img"], inputs["c"]))[:, None]
    case.check("out.logits", logits)
    case.scalar({"logits": logits}).backward()
    check_inputs(case, inputs)
    assert case.check_gradients(network, table) == set()


def test_deviations_of_groups() -> None:
    case = read("sg2_mbstd")
    inputs, outputs = leaves(case, "x"), {}
    for name in case.under("out."):
        group, channels = name.removeprefix("group").split("_ch")
        each = MinibatchDeviation(None if group == "None" else int(group), int(channels))
        outputs[name] = each(inputs["x"])
        case.check(f"out.{name}", outputs[name])
    case.scalar(outputs).backward()
    check_inputs(case, inputs)


def test_leaky_relu_has_their_slope_and_gain() -> None:
    case = read("sg2_bias_act")
    biased = case["in.x"] + case["in.b"][:, None, None]
    case.check("out.lrelu", leaky_relu(biased, SLOPE) * ACTIVE_GAIN)


def round_of(feed: dict[str, Tensor]) -> tuple[Case, nn.Module, nn.Module, Round]:
    """Return the networks of sg2_loss with its weights, without noise that is drawn, and a round of a feed."""
    case, space = unfiltered("sg2_loss"), SampleSpace.of_shape((3, 16, 16))
    model = styled_model("latent=10", "generator.style=10", *widths(8, 10), "discriminator.group=2")
    generator, discriminator = model.build_generator(space).eval(), model.build_discriminator(space)
    mapped = mapping_table("mapping.", "mapping.", 2) | {"mean_style": "mapping.w_avg"}
    part(case, "G.").load(generator, mapped | synthesis_table(16, "synthesis."))
    part(case, "D.").load(discriminator, discriminator_table(16))
    networks = Networks(generator, discriminator, open_device("cpu", "fp64", False, None))
    return case, generator, discriminator, Round(networks, feed)


GENERATORS_TABLE = mapping_table("mapping.", "G.mapping.", 2) | synthesis_table(16, "G.synthesis.")


def test_losses_of_both_players_and_r1() -> None:
    case, generator, discriminator, _ = round_of({})
    loss: Any = LOSSES["nonsaturating"](name="nonsaturating", label_smoothing=0.0, label_noise=0.0)  # type: ignore[call-arg]
    feed = {"latents": case["in.z"], "real": case["in.real"]}
    _, generator, discriminator, round = round_of(feed)
    case.check("G.img", round.fake)
    value = loss.generator(round)
    case.check("Gmain.Loss/scores/fake", round.fake_logits[:, None])
    torch.testing.assert_close(value, case["Gmain.Loss/G/loss"].mean(), rtol=1e-12, atol=0)
    value.backward()
    assert case.check_gradients(generator, GENERATORS_TABLE, "Gmain.") == set()
    table = discriminator_table(16, prefix="D.")
    _, generator, discriminator, round = round_of(feed)
    loss.discriminator(round).backward()
    case.check("Dmain.Loss/scores/real", round.real_logits[:, None])
    assert case.check_gradients(discriminator, table, "Dmain.") == set()
    _, generator, discriminator, round = round_of(feed)
    penalty: Any = PENALTIES["r1"](name="r1", weight=3.0, every=1)  # type: ignore[call-arg]
    value = penalty(round) * penalty.weight
    torch.testing.assert_close(value, case["Dreg.Loss/D/reg"].mean(), rtol=1e-10, atol=0)
    value.backward()
    for weight in discriminator.parameters():
        weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
    assert case.check_gradients(discriminator, table, "Dreg.") == set()


def test_path_lengths_and_their_mean() -> None:
    case = read("sg2_loss")
    term = PathLength(name="path_length", weight=2.0, every=4, decay=0.01, shrink=2)
    space = SampleSpace.of_shape((3, 16, 16))
    compute: Any = term.build(
        Surroundings("generator", space, LatentSpace(10), torch.device("cpu"), torch.float64, seed=0)
    )
    for phase in ("1", "2"):
        noise = case[f"draw.pl_noise_{phase}"]
        feed = {"latents": case["in.z"], "path": torch.cat([noise, noise])}  # of which the first half is read
        _, generator, _, round = round_of(feed)
        value = compute(round)
        torch.testing.assert_close(value * 2, case[f"Greg{phase}.Loss/G/reg"].mean(), rtol=1e-10, atol=0)
        case.check(f"Greg{phase}.pl_mean", compute.state()["mean"])
        value.mul(2).backward()
        for weight in generator.parameters():
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
        assert case.check_gradients(generator, GENERATORS_TABLE, f"Greg{phase}.") == set()


OFFICIAL = {
    "StyleGAN2 stylegan2 (config f) 256": (256, 0, 128, 8, "residual"),
    "StyleGAN2 stylegan2 (config f) 1024": (1024, 0, 32, 8, "residual"),
    "StyleGAN2 paper256": (256, 0, 64, 8, "residual"),
    "StyleGAN2 cifar": (32, 0, 512, 2, "orig"),
    "StyleGAN2 cifar cond10": (32, 10, 512, 2, "orig"),
    "StyleGAN2 auto 64": (64, 0, 256, 2, "residual"),
}
"""Resolution, classes, width, layers of the generator's mapping and the discriminator's architecture."""

FILTER = 4 * 4


@pytest.mark.parametrize("name", OFFICIAL)
def test_official_stylegan2_networks_have_their_sizes(name: str) -> None:
    side, classes, width, mapping, architecture = OFFICIAL[name]
    words = ["latent=512", "generator.style=512", f"generator.mapping={mapping}", *widths(width, 512)]
    model = styled_model(*words, f"discriminator.architecture={architecture}", f"conditional={bool(classes)}")
    space = SampleSpace.of_shape((3, side, side), classes=tuple(map(str, range(classes))))
    for build, player in ((model.build_generator, "G"), (model.build_discriminator, "D")):
        with torch.device("meta"):
            network = build(space)
        official = official_sizes()[f"{name} {player}"]
        assert sum(each.numel() for each in network.parameters()) == official["parameters"]
        state = network.state_dict()
        assert sum(each.numel() for each in state.values()) == official["parameters"] + buffers(state)
        assert (official["buffers"] - buffers(state)) % FILTER == 0, "theirs also keep filters"


def buffers(state: dict[str, Tensor]) -> int:
    """Return the numbers of a network's noise and mean style."""
    return sum(each.numel() for name, each in state.items() if name.endswith(("noise", "mean_style")))
