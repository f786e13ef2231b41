"""StyleGAN2: sizes, what training draws and what evaluation does not, mixing, truncation, classes."""

from typing import Any

import pytest
import torch
from torch import nn

from ganctl.models.stylegan2 import MEAN_DECAY
from ganctl.samples import SampleSpace
from tests.models.styles import styled_model, widths

ARCHITECTURES = ("orig", "skip", "residual")


def small_styles(*overrides: str) -> Any:
    return styled_model("latent=3", "generator.style=5", *widths(2, 4), *overrides)


def images_of(*shape: int, classes: int = 0) -> SampleSpace:
    return SampleSpace.of_shape(shape, classes=tuple(map(str, range(classes))))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (4, 48, 32), (3, 32, 64), (3, 1024, 1024)])
def test_images_of_every_shape_are_made_and_judged(architecture: str, shape: tuple[int, ...]) -> None:
    words = [f"{player}.architecture={architecture}" for player in ("generator", "discriminator")]
    model = small_styles(*words, "discriminator.group=null")
    images = model.build_generator(images_of(*shape))(torch.randn(2, 3))
    assert images.shape == (2, *shape)
    assert model.build_discriminator(images_of(*shape))(images).shape == (2,)


def test_training_draws_noise_and_evaluation_has_a_fixed_one() -> None:
    generator = small_styles("generator.mixing=0").build_generator(images_of(3, 16, 16))
    for block in generator.blocks:
        nn.init.ones_(block.conv1.strength)
    latents = torch.randn(1, 3).expand(2, 3)
    first, second = generator.eval()(latents)
    torch.testing.assert_close(first, second)
    assert torch.equal(generator(latents)[0], first)
    torch.manual_seed(0)
    first, second = generator.train()(latents)
    assert not torch.equal(first, second)
    torch.manual_seed(0)
    assert torch.equal(generator(latents)[1], second)


def test_mixing_takes_later_styles_from_other_latents_with_the_same_class_and_codes() -> None:
    words = ["generator.mixing=1", "conditional=true", "continuous_codes=1"]
    generator = small_styles(*words).build_generator(images_of(3, 16, 16, classes=2)).double()
    latents = torch.randn(40, 4).double()
    labels = torch.arange(40) % 2
    own = generator.mapping(latents, labels)
    other = generator.mapping(torch.cat([latents[:, :3].roll(1, 0), latents[:, 3:]], 1), labels)
    styles = generator.styles(latents, labels)
    assert styles.shape == (40, generator.styles_each, 5)
    cuts = set()
    for each, first, second in zip(styles, own, other, strict=True):
        taken = (each == first).all(1).sum()
        assert torch.equal(
            each, torch.cat([first.expand(taken, 5), second.expand(generator.styles_each - taken, 5)])
        )
        cuts.add(int(taken))
    assert cuts == {1, 2, 3, 4, 5}, "from the second style to the last"
    assert torch.equal(generator.eval().styles(latents, labels)[:, -1], own)


def test_a_share_of_samples_is_mixed() -> None:
    generator = small_styles("generator.mixing=0.25").build_generator(images_of(3, 16, 16))
    mixed = generator._mixed(torch.zeros(4000, 3)).any(1).float().mean().item()
    assert mixed == pytest.approx(0.25, abs=0.03)


def test_the_mean_style_follows_training_alone_and_truncation_moves_styles_to_it() -> None:
    generator = small_styles("generator.mixing=0").build_generator(images_of(3, 16, 16))
    latents = torch.randn(6, 3)
    styles = generator.styles(latents)[:, 0]
    torch.testing.assert_close(generator.mean_style, (1 - MEAN_DECAY) * styles.mean(0))
    assert "mean_style" in generator.state_dict()
    kept = generator.eval().mean_style.clone()
    plain = generator(latents)
    generator.truncation = 0.5
    torch.testing.assert_close(generator.styles(latents)[:, 0], (kept + styles) / 2)
    assert not torch.equal(generator(latents), plain)
    generator.truncation = 0.0
    assert torch.pdist(generator(latents).flatten(1)).max() == 0
    assert torch.equal(generator.mean_style, kept)


def test_a_logit_of_a_class_is_a_product_with_its_mapped_embedding() -> None:
    words = ["conditional=true", "discriminator.mapping=2"]
    judge = small_styles(*words).build_discriminator(images_of(3, 16, 16, classes=3))
    features, labels = judge.features(torch.randn(4, 3, 16, 16)), torch.tensor([0, 1, 2, 0])
    asked = judge.mapping(None, labels)
    expected = (judge.judge(features) * asked).sum(1) / asked.shape[1] ** 0.5
    torch.testing.assert_close(judge.logits(features, labels), expected)


def test_mixed_precision_stays_near_full_precision() -> None:
    torch.manual_seed(0)
    model = small_styles("generator.mixing=0", "generator.output=sigmoid")
    generator = model.build_generator(images_of(3, 16, 16)).eval()
    judge = model.build_discriminator(images_of(3, 16, 16))
    latents = torch.randn(8, 3)
    whole = generator(latents)
    assert model.value_range == (0.0, 1.0)
    assert 0 <= whole.min() < whole.max() <= 1
    with torch.autocast("cpu", torch.bfloat16):
        coarse = generator(latents)
        logits = judge(whole)
    torch.testing.assert_close(coarse, whole, rtol=0, atol=0.05)
    torch.testing.assert_close(logits.float(), judge(whole), rtol=0.05, atol=0.05)


def test_what_maps_classes_is_no_layer_that_can_be_frozen() -> None:
    plain = small_styles().build_discriminator(images_of(3, 16, 16))
    asked = small_styles("conditional=true").build_discriminator(images_of(3, 16, 16, classes=3))
    assert len(plain.stages()) == len(asked.stages()) == 2 + 1 + 2
    asked.freeze(4)
    frozen = {name.split(".")[0] for name, weight in asked.named_parameters() if not weight.requires_grad}
    assert frozen == {"blocks", "conv", "dense"}
