"""BigGAN against PyTorch-StudioGAN's networks: outputs, gradients, running statistics, sizes."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from ganctl.models import MODELS
from ganctl.models.biggan import BigganDiscriminator
from ganctl.samples import SampleSpace
from tests.composed import composed
from tests.reference.vectors import GRADIENTS, Case, official_sizes, read

CLASSES = tuple("abcde")
ATTENTION = {name: f"conv1x1_{name}" for name in ("theta", "phi", "g")} | {"o": "conv1x1_attn", "gamma": "sigma"}
BLOCK = {"conv1": "conv2d1", "conv2": "conv2d2", "shortcut": "conv2d0"}


def model_of(*overrides: str) -> Any:
    return MODELS["biggan"].model_validate(composed("model=biggan", *overrides)["model"])


def space(classes: tuple[str, ...], side: int = 32) -> SampleSpace:
    return SampleSpace.of_shape((3, side, side), classes=classes)


def table(attended: int | None, blocks: int) -> dict[str, str]:
    """Return names of theirs by ours; theirs counts attention as a block of its own, after block `attended`."""
    names: dict[str, str] = {}
    place = 0
    for level in range(blocks):
        names |= {f"blocks.{level}.{ours}": f"blocks.{place}.0.{theirs}" for ours, theirs in BLOCK.items()}
        for norm in "12":
            stem = f"blocks.{place}.0.bn{norm}"
            names |= {f"blocks.{level}.norm{norm}": f"{stem}.bn"}
            names |= {f"blocks.{level}.norm{norm}.gain": f"{stem}.gain"}
            names |= {f"blocks.{level}.norm{norm}.shift": f"{stem}.bias"}
        place += 1
        if level == attended:
            names |= {
                f"attention.{level}.{ours}": f"blocks.{place}.0.{theirs}" for ours, theirs in ATTENTION.items()
            }
            place += 1
    return names


def generator_table(attended: int | None) -> dict[str, str]:
    ends = {
        "embedding": "shared",
        "project": "linear0",
        "norm": "bn4",
        "paint": "conv2d5",
        "mix": "info_mix_linear",
    }
    return table(attended, 3) | ends


GENERATORS = {
    "studiogan_biggan_generator32": (4, CLASSES, 1, ()),
    "studiogan_biggan_generator32_uncond": (3, (), None, ()),
    "studiogan_biggan_generator32_info_concat": (
        3,
        CLASSES,
        None,
        ("model.categorical_codes=[3,3]", "model.continuous_codes=2"),
    ),
}


@pytest.mark.parametrize("name", GENERATORS)
def test_the_generator_is_studiogans(name: str) -> None:
    width, classes, attended, codes = GENERATORS[name]
    case = read(name)
    model = model_of(
        "model.latent=16",
        "model.embedding=6",
        f"model.generator.width={width}",
        f"model.generator.attention={'null' if attended is None else 16}",
        *codes,
    )
    generator = model.build_generator(space(classes))
    names = generator_table(attended)
    case.load(generator, names)
    latents = case["in.z"].clone().requires_grad_()
    labels = (case["in.label"],) if classes else ()
    images = generator(latents, *labels)
    case.check("out.img", images)
    case.scalar({"img": images}).backward()
    assert latents.grad is not None
    case.check("grad.in.z", latents.grad, GRADIENTS)
    assert case.check_gradients(generator, names) == set()
    for ours, buffer in generator.named_buffers():
        if "running" in ours:
            stem, _, leaf = ours.rpartition(".")
            case.check(f"after.{names.get(stem, stem)}.{leaf}", buffer, GRADIENTS)
    case.check("eval.img", generator.eval()(latents, *labels))


JUDGES = {
    "studiogan_biggan_discriminator32_pd": (8, 1, "projection"),
    "studiogan_biggan_discriminator32_ac_info": (4, None, "classifier"),
}


def judge(name: str) -> tuple[Case, BigganDiscriminator, dict[str, str]]:
    """Return the case and our discriminator with its weights; InfoGAN's heads are left out."""
    width, attended, condition = JUDGES[name]
    case = read(name)
    model = model_of(
        f"model.discriminator.width={width}",
        f"model.discriminator.attention={'null' if attended is None else 16}",
        f"model.discriminator.condition={condition}",
    )
    network = model.build_discriminator(space(CLASSES))
    ends = {"judge": "linear1", "heads.embedding": "embedding", "heads.classifier": "linear2"}
    names = table(0 if attended else None, 4) | ends
    kept = {key: each for key, each in case.tensors.items() if not key.startswith("w.info")}
    if condition == "classifier":
        kept["w.linear2.bias"] = torch.zeros(len(CLASSES)).double()  # theirs has none
    replace(case, tensors=kept).load(network, names)
    return case, network, names


def told(network: BigganDiscriminator, samples: Tensor, labels: Tensor) -> dict[str, Tensor]:
    features = network.features(samples)
    outputs = {"adv_output": network.logits(features, labels), "h": features}
    if network.heads.classifier is not None:
        outputs["cls_output"] = network.class_logits(features)
    return outputs


@pytest.mark.parametrize("name", JUDGES)
def test_the_discriminator_is_studiogans_with_shortcuts_that_see_their_input(name: str) -> None:
    case, network, _ = judge(name)
    images = case["in.x"].clone().requires_grad_()
    outputs = told(network, images, case["in.label"])
    for key, values in outputs.items():
        case.check(f"noinplace.{key}", values)
    if network.heads.classifier is None:
        case.scalar(outputs).backward()
        assert images.grad is not None
        case.check("noinplace.grad.in.x", images.grad, GRADIENTS)


def overwritten(block: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    """Give a block what is left of its input after the official code's ReLU has run on it in place."""
    return (relu(inputs[0]),)


def informed(case: Case, features: Tensor) -> dict[str, Tensor]:
    """Return InfoGAN's heads of theirs: three maps, each spectrally normalised, of the mean pixel.

    Ours is one map of the sum, like the other heads, and tells no variances.
    """
    told = {}
    for name in ("discrete", "conti_mu", "conti_var"):
        stem = f"w.info_{name}_linear.weight"
        weight = case[f"{stem}_orig"]
        v = weight.T @ case[f"{stem}_u"]
        told[name] = features / 64 @ (weight / (weight @ (v / v.norm())).norm()).T
    return {
        "info_discrete_c_logits": told["discrete"],
        "info_conti_mu": told["conti_mu"],
        "info_conti_var": told["conti_var"].exp(),
    }


@pytest.mark.parametrize("name", JUDGES)
def test_the_discriminator_is_studiogans_with_shortcuts_that_see_the_relu(name: str) -> None:
    case, network, names = judge(name)
    for block in list(network.blocks)[1:]:
        block.register_forward_pre_hook(overwritten)
    images = case["in.x"].clone().requires_grad_()
    outputs = told(network, images, case["in.label"])
    if network.heads.classifier is not None:
        outputs |= informed(case, outputs["h"])
    for key, values in outputs.items():
        case.check(f"out.{key}", values)
    case.scalar(outputs).backward()
    assert images.grad is not None
    case.check("grad.in.x", images.grad, GRADIENTS)
    theirs_has_none = set() if network.heads.classifier is None else {"heads.classifier.bias"}
    assert case.check_gradients(network, names) == theirs_has_none
    case.check("eval.adv_output", network.eval()(case["in.x"], case["in.label"]))


OFFICIAL = [name for name in official_sizes() if name.startswith("BigGAN")]


@pytest.mark.parametrize("name", OFFICIAL)
def test_full_size_networks_have_the_official_number_of_parameters(name: str) -> None:
    size, which = official_sizes()[name], name[-1]
    said = size["constructor"]
    network = {"G": "generator", "D": "discriminator"}[which]
    overrides = [f"model.{network}.width={said[f'{which.lower()}_conv_dim']}"]
    if which == "G":
        overrides += [f"model.latent={said['z_dim']}", f"model.embedding={said['g_shared_dim']}"]
    classes = tuple(map(str, range(said["num_classes"])))
    with torch.device("meta"):
        built = getattr(model_of(*overrides), f"build_{network}")(space(classes, said["img_size"]))
    assert sum(parameter.numel() for parameter in built.parameters()) == size["parameters"]


def test_every_official_size_is_built() -> None:
    assert OFFICIAL == ["BigGAN CIFAR-10 (StudioGAN) G", "BigGAN CIFAR-10 (StudioGAN) D"]
