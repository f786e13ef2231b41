"""R3GAN against the authors' networks: outputs, gradients, both players' losses with R1 and R2, sizes."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganctl.game.round import Networks, Round
from ganctl.losses import LOSSES
from ganctl.models import MODELS
from ganctl.models.r3gan import Block, DiscriminativeBasis, GenerativeBasis, Resampled, initialised
from ganctl.penalties import PENALTIES
from ganctl.runtime.device import Device
from ganctl.samples import SampleSpace
from tests.composed import composed
from tests.models.official import check
from tests.reference.vectors import Case, official_sizes, read

BLOCK = {
    "conv1": "LinearLayer1.Layer",
    "conv1.bias": "NonLinearity1.Bias",
    "conv2": "LinearLayer2.Layer",
    "conv2.bias": "NonLinearity2.Bias",
    "conv3": "LinearLayer3.Layer",
    "project": "LinearLayer.Layer",
}


SIDES = ("generator", "discriminator")


def ours(case: Case) -> Case:
    """Return a case without the constant kernels, and with a row for each class in an embedding."""
    tensors = {
        name: values.T if name.endswith("EmbeddingLayer.weight") else values
        for name, values in case.tensors.items()
        if not name.endswith("Kernel")
    }
    return replace(case, tensors=tensors)


def stages(widths: list[int], groups: list[int], blocks: list[int], expansion: int) -> dict[str, Any]:
    """Return the official arguments of a network, stages from the full side on, as ours."""
    group_widths = [width * expansion // count for width, count in zip(widths, groups, strict=True)]
    return {"widths": widths, "blocks": blocks, "group_widths": group_widths, "expansion": expansion}


def model_of(generator: dict[str, Any] | None, discriminator: dict[str, Any] | None) -> Any:
    """Return the spec of networks with official constructor arguments."""
    spec = composed("model=r3gan")["model"]
    for name, said in (("generator", generator), ("discriminator", discriminator)):
        if said is not None:
            keys = ("WidthPerStage", "CardinalityPerStage", "BlocksPerStage")
            lists = [said[key][:: -1 if name == "generator" else 1] for key in keys]
            spec[name] |= stages(*lists, said["ExpansionFactor"])
            spec[name]["embedding"] = said.get("ConditionEmbeddingDimension", 1)
            spec["latent"] = said.get("NoiseDimension", spec["latent"])
    return MODELS["r3gan"].model_validate(spec)


def space(said: dict[str, Any], side: int = 32) -> SampleSpace:
    classes = range(said.get("ConditionDimension", said.get("c_dim", 0)))
    return SampleSpace.of_shape((3, side, side), classes=tuple(map(str, classes)))


def table(said: dict[str, Any], which: str, prefix: str = "") -> dict[str, str]:
    """Return names of theirs by ours; theirs counts layers by stages, the resampling within them."""
    names, place, counts = {}, 0, said["BlocksPerStage"]
    for stage, count in enumerate(counts):
        for layer in range(count + 1):
            stem = f"{prefix}MainLayers.{stage}.Layers.{layer}"
            if which == "generator" and stage == layer == 0:
                names |= {"basis.maps": f"{stem}.Basis", "basis.scale": f"{stem}.LinearLayer"}
            elif which == "discriminator" and stage == len(counts) - 1 and layer == count:
                names |= {"basis.maps": f"{stem}.Basis.weight", "judge": f"{stem}.LinearLayer"}
            else:
                names |= {f"blocks.{place}.{mine}": f"{stem}.{theirs}" for mine, theirs in BLOCK.items()}
                place += 1
    ends = {"generator": "AggregationLayer.Layer", "discriminator": "ExtractionLayer.Layer"}
    return names | {"pixels": prefix + ends[which], "embedding": f"{prefix}EmbeddingLayer"}


def test_a_block_is_the_authors() -> None:
    said = json.loads(read("r3gan_residual_block").metadata["constructor"])
    hidden = said["InputChannels"] * said["ExpansionFactor"]
    block = Block(said["InputChannels"], hidden, hidden // said["Cardinality"], said["VarianceScalingParameter"])
    assert check(read("r3gan_residual_block"), block, BLOCK, "y") == set()


@pytest.mark.parametrize("outputs", ["same", "diff"])
@pytest.mark.parametrize("direction", ["up", "down"])
def test_resampling_is_the_authors(direction: str, outputs: str) -> None:
    case = ours(read(f"r3gan_{direction}sample_{outputs}"))
    layer = Resampled(*json.loads(case.metadata["constructor"])[:2], halves=direction == "down")
    assert check(case, layer, BLOCK, "y") == set()


def test_the_generators_basis_is_the_authors() -> None:
    basis = GenerativeBasis(7, 10, 4, 4)
    assert check(read("r3gan_generative_basis"), basis, {"maps": "Basis", "scale": "LinearLayer"}, "y") == set()


def test_the_discriminators_basis_is_the_authors() -> None:
    layers = nn.Sequential(DiscriminativeBasis(10, 4, 4), initialised(nn.Linear(10, 3, bias=False)))
    names = {"0.maps": "Basis.weight", "1": "LinearLayer"}
    assert check(read("r3gan_discriminative_basis"), layers, names, "y") == set()


def loaded(case: Case, said: dict[str, Any], which: str, prefix: str = "") -> tuple[nn.Module, dict[str, str]]:
    """Return a network of ours with a file's weights, and the names of them."""
    given: dict[str, Any] = {"generator": None, "discriminator": None} | {which: said}
    network = getattr(model_of(**given), f"build_{which}")(space(said))
    names = table(said, which, prefix)
    kept = {name: values for name, values in case.tensors.items() if name.startswith(f"w.{prefix}")}
    replace(case, tensors=kept).load(network, names)
    return network, names


@pytest.mark.parametrize("name", ["generator32", "generator32_cond", "discriminator32", "discriminator32_cond"])
def test_networks_are_the_authors(name: str) -> None:
    case, which = ours(read(f"r3gan_{name}")), name.partition("32")[0]
    said = json.loads(case.metadata["constructor"])
    network, names = loaded(case, said, which)
    labels = (case["in.y"].argmax(1),) if "in.y" in case.tensors else ()
    output = "img" if which == "generator" else "logits"
    assert check(case, network, names, output, lambda network, inputs: network(inputs, *labels)) == set()


def players(case: Case) -> tuple[Networks, dict[str, dict[str, str]]]:
    """Return both networks of a file of the trainer, and the names of their weights."""
    said = json.loads(case.metadata["constructor"])
    built = {which: loaded(case, said[which.title()], which, f"{which[0].upper()}.") for which in SIDES}
    networks = Networks(
        built["generator"][0], built["discriminator"][0], Device(torch.device("cpu"), "fp64", strict=False)
    )
    return networks, {which: names for which, (_, names) in built.items()}


def feed_of(case: Case) -> dict[str, Tensor]:
    feed = {"real": case["in.real"], "latents": case["in.noise"]}
    if "in.cond" in case.tensors:
        feed |= {f"{side}_labels": case["in.cond"].argmax(1) for side in ("real", "fake")}
    return feed


def term(name: str) -> Any:
    return PENALTIES[name].model_validate(composed(f"penalty=[{name}]")["penalty"][name])


@pytest.mark.parametrize("name", ["r3gan_trainer", "r3gan_trainer_cond"])
def test_the_discriminators_loss_is_the_authors_with_gamma_as_the_penalties_weight(name: str) -> None:
    case = ours(read(name))
    networks, names = players(case)
    feed, gamma = feed_of(case), json.loads(case.metadata["constructor"])["Gamma"]
    with torch.no_grad():
        fake = networks.generate(feed)
    round = Round(networks, feed, fake)
    r1, r2 = (term(each)(round) for each in ("r1", "r2"))
    adversarial = LOSSES["relativistic"](name="relativistic").discriminator(round)
    case.check("d.relativistic_logits", round.real_logits - round.fake_logits)
    torch.testing.assert_close(adversarial.detach(), case["d.adversarial_loss"].mean(), rtol=1e-10, atol=0)
    torch.testing.assert_close(2 * r1.detach(), case["d.r1_penalty"].mean(), rtol=1e-10, atol=0)
    torch.testing.assert_close(2 * r2.detach(), case["d.r2_penalty"].mean(), rtol=1e-10, atol=0)
    loss = adversarial + gamma * (r1 + r2)
    case.check("d.loss_mean", loss)
    loss.backward()
    assert case.check_gradients(networks.discriminator, names["discriminator"], "d.") == set()


@pytest.mark.parametrize("name", ["r3gan_trainer", "r3gan_trainer_cond"])
def test_the_generators_loss_is_the_authors(name: str) -> None:
    case = ours(read(name))
    networks, names = players(case)
    round = Round(networks, feed_of(case))
    case.check("g.fake", round.fake)
    loss = LOSSES["relativistic"](name="relativistic").generator(round)
    case.check("g.relativistic_logits", round.fake_logits - round.real_logits)
    case.check("g.loss_mean", loss)
    loss.backward()
    assert case.check_gradients(networks.generator, names["generator"], "g.") == set()


OFFICIAL = [name for name in official_sizes() if name.startswith("R3GAN")]


@pytest.mark.parametrize("name", OFFICIAL)
def test_full_size_networks_have_the_official_number_of_parameters(name: str) -> None:
    size, which = official_sizes()[name], {"G": "generator", "D": "discriminator"}[name[-1]]
    said = size["constructor"]
    given: dict[str, Any] = {"generator": None, "discriminator": None} | {which: said}
    with torch.device("meta"):
        network = getattr(model_of(**given), f"build_{which}")(space(said, said["img_resolution"]))
    assert sum(parameter.numel() for parameter in network.parameters()) == size["parameters"]


def test_every_official_size_is_built() -> None:
    assert len(OFFICIAL) == 12
