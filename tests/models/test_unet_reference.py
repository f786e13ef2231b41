"""The U-Net discriminator against the authors': outputs, gradients, sizes."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganctl.models import MODELS
from ganctl.models.unet import DoublingBlock, UnetDiscriminator
from ganctl.samples import SampleSpace
from tests.composed import composed
from tests.models.official import check as check_block
from tests.models.official import renamed, spectral, within
from tests.reference.vectors import GRADIENTS, Case, official_sizes, read

BLOCK = {"conv1": "conv1", "conv2": "conv2", "shortcut": "conv_sc"}


def judge(side: int, classes: int, *overrides: str) -> UnetDiscriminator:
    words = [f"model.conditional={classes > 0}", *overrides]
    model = MODELS["unet"].model_validate(composed("model=unet", *words)["model"])
    space = SampleSpace.of_shape((3, side, side), classes=tuple(map(str, range(classes))))
    network: Any = model.build_discriminator(space)
    return network


def test_a_decoders_block_is_the_authors() -> None:
    assert not check_block(renamed(read("unetgan_gblock2")), DoublingBlock(8, 6, spectral), BLOCK, "y")


def used(case: Case) -> Case:
    """Return a case without the layer that the authors' forward leaves out."""
    left = {name: values for name, values in case.tensors.items() if not name.startswith("w.linear.")}
    return Case(left, case.rounded, case.metadata)


@pytest.mark.parametrize(("name", "classes"), [("discriminator128", 0), ("discriminator128_cond", 5)])
def test_the_discriminator_is_the_authors(name: str, classes: int) -> None:
    case = used(renamed(read(f"unetgan_{name}")))
    network = judge(128, classes, "model.discriminator.width=1", "model.discriminator.attention=null")
    table = {"judge": "linear_middle", "judge_pixels": "blocks.10"}
    table |= {"heads.embedding": "embed_middle", "embedding": "embed"}
    for level in range(5):
        table |= within(f"blocks.{level}", f"blocks.{level}.0", BLOCK)
        table |= within(f"decoder.{level}", f"blocks.{5 + level}.0", BLOCK)
    case.load(network, table)
    images = case["in.x"].clone().requires_grad_()
    labels = (case["in.y"],) if classes else ()
    logits = network(images.repeat_interleave(4, 2).repeat_interleave(4, 3), *labels)
    assert logits.shape == (2, 128 * 128, 2)
    assert torch.equal(logits[0], logits[0, :1].expand_as(logits[0]))
    found: dict[str, Tensor] = {"bottleneck": logits[0, :1].t()}
    found["map_s"] = logits[1].t().reshape(2, 1, 128, 128)[:, :, 1::4, 2::4]
    for key, values in found.items():
        case.check(f"out.{key}", values)
    case.scalar(found).backward()
    assert images.grad is not None
    case.check("grad.in.x", images.grad, GRADIENTS)
    assert case.check_gradients(network, table) == set()


OFFICIAL = {"U-Net GAN 128 D cond10": 64, "U-Net GAN 256 D uncond": None}


@pytest.mark.parametrize("name", OFFICIAL)
def test_full_size_networks_have_the_official_number_of_parameters(name: str) -> None:
    size, attention = official_sizes()[name], OFFICIAL[name]
    said = size["constructor"]
    with torch.device("meta"):
        network: nn.Module = judge(
            said["resolution"],
            0 if said["unconditional"] else said["n_classes"],
            f"model.discriminator.width={said['D_ch']}",
            f"model.discriminator.attention={attention or 'null'}",
        )
    left_out = said["D_ch"] + 1  # the layer that their forward leaves out
    assert sum(parameter.numel() for parameter in network.parameters()) + left_out == size["parameters"]
