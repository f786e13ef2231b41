"""The U-Net discriminator: shapes from the data, both kinds of logits, what its decoder sees; CutMix."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganctl.auxiliary.cutmix import boxes
from ganctl.errors import SizeError
from ganctl.game.round import Round
from ganctl.game.step import Game
from ganctl.models import MODELS
from ganctl.models.biggan import BigganGenerator
from ganctl.models.unet import DoublingBlock
from ganctl.samples import SampleSpace
from tests.composed import composed
from tests.game.games import assert_slope, round_of, small_game

SMALL = ("model.generator.width=1", "model.discriminator.width=2", "model.latent=14", "model.embedding=2")
BOXES: Any = dict.fromkeys(("box_area", "box_row", "box_column", "box_kind"), "uniform")


def small(*overrides: str) -> Any:
    return MODELS["unet"].model_validate(composed("model=unet", *SMALL, *overrides)["model"])


def space(height: int = 32, width: int | None = None, classes: int = 0) -> SampleSpace:
    return SampleSpace.of_shape((3, height, width or height), classes=tuple(map(str, range(classes))))


@pytest.mark.parametrize(("height", "width"), [(32, 32), (40, 40), (56, 56), (32, 64), (128, 96), (256, 256)])
def test_every_pixel_of_a_size_that_biggan_makes_is_judged(height: int, width: int) -> None:
    with torch.device("meta"):
        generator = small().build_generator(space(height, width))
        assert isinstance(generator, BigganGenerator)
        judge = small().build_discriminator(space(height, width))
        assert judge(generator(torch.randn(2, 14))).shape == (2, height * width, 2)


def test_another_side_is_refused() -> None:
    with pytest.raises(SizeError, match="unet cannot make 28×28"):
        small().build_discriminator(space(28))


@pytest.mark.parametrize(
    ("side", "encoder", "decoder"),
    [(32, [2, 2, 2], [2, 2, 2]), (64, [1, 2, 4, 8], [4, 2, 1, 1]), (256, [1, 2, 4, 8, 8, 16], [8, 8, 4, 2, 1, 1])],
)
def test_the_decoder_mirrors_the_encoder(side: int, encoder: list[int], decoder: list[int]) -> None:
    with torch.device("meta"):
        judge = small("model.discriminator.width=1").build_discriminator(space(side))
        assert [block.conv2.out_channels for block in judge.blocks] == encoder
        assert [block.conv2.out_channels for block in judge.decoder] == decoder
        inputs = [block.conv1.in_channels for block in judge.decoder]
        assert inputs == [encoder[-1], *(2 * width for width in decoder[:-1])]


def test_the_first_kind_is_one_logit_of_the_encoder_for_all_pixels() -> None:
    torch.manual_seed(0)
    judge = small().build_discriminator(space()).eval()
    images = torch.randn(2, 3, 32, 32)
    before = judge(images)
    assert torch.equal(before[0], before[0, :1].expand(1024, 2))
    for block in judge.decoder:
        nn.init.zeros_(block.conv2.bias)
        block.conv2.bias.data += 1
    after = judge(images)
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1])


def test_the_second_kind_are_those_of_the_pixels_by_rows() -> None:
    torch.manual_seed(0)
    judge = small().build_discriminator(space(32, 64)).eval()
    images = torch.randn(1, 3, 32, 64)
    other = images.clone()
    other[0, :, 20, 50] += 5
    moved = (judge(other) - judge(images))[1, :, 0].abs().reshape(32, 64)
    assert divmod(int(moved.argmax()), 64) == pytest.approx((20, 50), abs=3)


def test_a_class_enters_both_kinds_by_embeddings_of_their_own() -> None:
    torch.manual_seed(0)
    judge = small("model.conditional=true").build_discriminator(space(classes=3)).eval()
    images = torch.randn(1, 3, 32, 32).expand(2, -1, -1, -1)
    logits = judge(images, torch.tensor([0, 1]))
    assert all(not torch.allclose(kind[:, 0], kind[:, 1]) for kind in logits)


def test_a_block_starts_from_repeated_pixels() -> None:
    block = DoublingBlock(3, 2, lambda layer, gain: layer)
    for layer in (block.conv1, block.conv2):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    maps = torch.randn(2, 3, 4, 5)
    expected = block.shortcut(maps.repeat_interleave(2, 2).repeat_interleave(2, 3))
    torch.testing.assert_close(block(maps), expected)


def test_boxes_have_their_area_where_nothing_is_cut_off() -> None:
    areas, centres = torch.tensor([0.25, 1.0, 0.0625, 0.25]), torch.tensor([0.5, 0.5, 0.5, 0.0])
    found = boxes(areas, centres, centres, (16, 32))
    assert found.shape == (4, 16, 32)
    assert found.flatten(1).sum(1).tolist() == [128, 512, 32, 32]
    assert found[0, 4:12, 8:24].all()
    assert found[3, :4, :8].all()


def mixing(*words: str) -> Game:
    return small_game("auxiliary=[cutmix_consistency]", "device.precision=fp64", *words, model="unet")


def pixels(game: Game, samples: Tensor, *labels: Tensor) -> Tensor:
    logits: Tensor = game.discriminator.network(samples, *labels)[1].t()
    return logits.reshape(-1, 32, 32)


@pytest.mark.parametrize("pack", [1, 2])
def test_consistency_is_of_the_mix_of_images_and_of_logits(pack: int) -> None:
    game = mixing(f"train.pack={pack}")
    game.discriminator.network.eval()
    this = round_of(game, "discriminator", 0, **BOXES)
    (term,) = (each for each in game.discriminator.terms if each.name == "cutmix_consistency")
    numbers = (this.uniform(f"box_{name}") for name in ("area", "row", "column"))
    inside = boxes(*numbers, (32, 32)) ^ (this.uniform("box_kind") < 0.5)[:, None, None]
    each = inside.repeat_interleave(pack, 0)[:, None]
    found = pixels(game, this.real * ~each + this.fake * each)
    wanted = pixels(game, this.real) * ~inside + pixels(game, this.fake) * inside
    assert 0 < inside.double().mean() < 1
    expected = (found - wanted).square().mean().item()
    assert expected > 0
    assert term.compute(this).item() == pytest.approx(expected, rel=1e-9)


def test_the_logits_of_a_mix_and_of_both_images_are_of_the_real_labels() -> None:
    game = mixing("model.conditional=true")
    game.discriminator.network.eval()
    feed = dict(next(game.draws.feeds("discriminator", 0, {"real": None, "latents": None})))
    this = Round(game.networks, feed)
    inside = torch.zeros(4, 32, 32, dtype=torch.bool)
    inside[:, :, 16:] = True
    found, wanted = this.mixed(inside)
    labels = feed["real_labels"]
    assert not torch.equal(labels, feed["fake_labels"])
    mix = torch.cat([this.real[..., :16], this.fake[..., 16:]], 3)
    torch.testing.assert_close(found, pixels(game, mix, labels))
    torch.testing.assert_close(wanted[..., 16:], pixels(game, this.fake, labels)[..., 16:])
    torch.testing.assert_close(wanted[..., :16], pixels(game, this.real, labels)[..., :16])


def test_the_gradient_of_consistency_is_its_slope() -> None:
    game = mixing()
    game.generator.trainable(False)
    game.discriminator.network.eval()
    (term,) = (each for each in game.discriminator.terms if each.name == "cutmix_consistency")

    def value() -> Tensor:
        return term.compute(round_of(game, "discriminator", 0, **BOXES))

    weights = dict(game.discriminator.network.named_parameters())
    for stem in ("blocks.1.conv2", "decoder.0.conv1"):
        assert_slope(value, weights[f"{stem}.parametrizations.weight.original"])
