"""R3GAN: shapes from the data, stages by lists of numbers, initialisation, what is refused."""

from typing import Any

import pytest
import torch

from ganctl.errors import ConfigError
from ganctl.models import MODELS
from ganctl.models.parts.sizes import sides
from ganctl.models.r3gan import GAIN, Block
from ganctl.samples import SampleSpace
from tests.composed import composed


def model_of(**lists: list[int]) -> Any:
    spec = composed("model=r3gan")["model"]
    for player in ("generator", "discriminator"):
        spec[player] |= {"widths": [8], "group_widths": [4], "blocks": [1]} | lists
    return MODELS["r3gan"].model_validate(spec)


def space(height: int, width: int, channels: int = 3) -> SampleSpace:
    return SampleSpace.of_shape((channels, height, width))


@pytest.mark.parametrize("shape", [*((side, side) for side in sides()), (16, 32), (56, 28)])
def test_images_whose_sides_halve_alike_are_made_and_judged(shape: tuple[int, int]) -> None:
    with torch.device("meta"):
        generator = model_of().build_generator(space(*shape, channels=1))
        judge = model_of().build_discriminator(space(*shape, channels=1))
        images = generator(torch.randn(2, 64))
        assert images.shape == (2, 1, *shape)
        assert judge(images).shape == (2,)


def test_lists_go_from_the_full_side_on_and_their_last_number_goes_on() -> None:
    lists = {"widths": [8, 16], "blocks": [2, 1], "group_widths": [2, 4]}
    generator = model_of(**lists).build_generator(space(16, 16))
    judge = model_of(**lists).build_discriminator(space(16, 16))
    for network, order in ((generator, -1), (judge, 1)):
        blocks = [each for each in network.modules() if isinstance(each, Block)][::order]
        assert [each.conv1.in_channels for each in blocks] == [8, 8, 16, 16]
        assert [each.conv2.in_channels // each.conv2.groups for each in blocks] == [2, 2, 4, 4]


def test_a_fresh_block_changes_nothing_and_its_weights_shrink_with_the_number_of_blocks() -> None:
    block = Block(128, 256, 16, 16)
    maps = torch.randn(2, 128, 4, 4)
    assert torch.equal(block(maps), maps)
    for conv, inputs in ((block.conv1, 128), (block.conv2, 16 * 9)):
        assert conv.weight.std().item() == pytest.approx(GAIN * 16**-0.25 / inputs**0.5, rel=0.02)
        assert not conv.bias.any()


@pytest.mark.parametrize("player", ["generator", "discriminator"])
@pytest.mark.parametrize(
    ("lists", "told"),
    [
        (
            {"group_widths": [3]},
            "groups of 3 do not divide 16 channels (width × expansion); take a divisor",
        ),
        ({"widths": [8, 8, 8, 8]}, "4 numbers for 3 stages; take 3 or fewer"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(player: str, lists: dict[str, list[int]], told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        getattr(model_of(**lists), f"build_{player}")(space(16, 16))
    assert str(refused.value) == f"model.{player}.{next(iter(lists))}: {told}"
