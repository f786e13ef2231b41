"""BigGAN: shapes from the data, how latents and classes enter, initialisation, what is refused."""

from typing import Any

import pytest
import torch
from torch import nn

from ganctl.errors import ConfigError, SizeError
from ganctl.models import MODELS
from ganctl.models.biggan import CHANNELS
from ganctl.models.parts.attention import SelfAttention
from ganctl.models.parts.sizes import sides
from ganctl.samples import SampleSpace
from tests.composed import composed

SMALL = ("model.generator.width=1", "model.discriminator.width=1", "model.latent=14", "model.embedding=2")

SIDES = sides(CHANNELS)


def space(height: int = 32, width: int | None = None, channels: int = 3, classes: int = 0) -> SampleSpace:
    shape = (channels, height, width or height)
    return SampleSpace.of_shape(shape, classes=tuple(map(str, range(classes))))


def model_of(*overrides: str) -> Any:
    return MODELS["biggan"].model_validate(composed("model=biggan", *overrides)["model"])


def small(*overrides: str) -> Any:
    return model_of(*SMALL, *overrides)


def test_the_sides_are_4_to_7_pixels_doubled_three_to_six_times() -> None:
    assert SIDES == [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.usefixtures("quick_spectral_norm")
def test_every_side_is_made_and_judged(side: int) -> None:
    with torch.device("meta"):
        generator, judge = small().build_generator(space(side)), small().build_discriminator(space(side))
        images = generator(torch.randn(2, 14))
        assert images.shape == (2, 3, side, side)
        assert judge(images).shape == (2,)


@pytest.mark.parametrize(("height", "width"), [(32, 64), (48, 32), (256, 96), (56, 64)])
@pytest.mark.usefixtures("quick_spectral_norm")
def test_oblong_images_are_made_and_judged(height: int, width: int) -> None:
    with torch.device("meta"):
        images = small().build_generator(space(height, width, 1))(torch.randn(2, 14))
        assert images.shape == (2, 1, height, width)
        assert small().build_discriminator(space(height, width, 1))(images).shape == (2,)


@pytest.mark.parametrize(("side", "near"), [(28, (32,)), (36, (32, 40)), (257, (256, 320)), (512, (448,))])
def test_another_side_is_refused_with_its_neighbours(side: int, near: tuple[int, ...]) -> None:
    for build in (small().build_generator, small().build_discriminator):
        with pytest.raises(SizeError) as refused:
            build(space(side))
        assert refused.value.sides == near


def test_what_cannot_be_halved_or_split_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigError, match=r"halves 32×36 pixels 3 times, .* the longer side 32 or 40 pixels$"):
        small().build_generator(space(32, 36))
    with pytest.raises(SizeError, match="32×1056"):
        small().build_generator(space(32, 1056))
    with pytest.raises(ConfigError, match="model=mlp"):
        small().build_generator(SampleSpace.of_shape((2,)))
    with pytest.raises(ConfigError, match="take 4 or more"):
        small("model.latent=3").build_generator(space())


def channels_of(network: nn.Module) -> list[int]:
    return [block.conv2.out_channels for block in network.blocks]


@pytest.mark.parametrize(
    ("side", "made", "judged"),
    [
        (32, [4, 4, 4], [2, 2, 2, 2]),
        (64, [8, 4, 2, 1], [1, 2, 4, 8, 16]),
        (128, [16, 8, 4, 2, 1], [1, 2, 4, 8, 16, 16]),
        (256, [16, 8, 8, 4, 2, 1], [1, 2, 4, 8, 8, 16, 16]),
    ],
)
@pytest.mark.usefixtures("quick_spectral_norm")
def test_channels_are_the_papers(side: int, made: list[int], judged: list[int]) -> None:
    with torch.device("meta"):
        assert channels_of(small().build_generator(space(side))) == made
        assert channels_of(small().build_discriminator(space(side))) == judged


@pytest.mark.parametrize(
    ("least", "made", "judged"), [("16", 1, 0), ("9", 1, 0), ("8", 0, 1), ("null", None, None)]
)
def test_attention_is_at_the_smallest_maps_of_that_side(least: Any, made: int | None, judged: int | None) -> None:
    model = small(f"model.generator.attention={least}", f"model.discriminator.attention={least}")
    for network, expected in (
        (model.build_generator(space()), made),
        (model.build_discriminator(space()), judged),
    ):
        places = [n for n, each in enumerate(network.attention) if isinstance(each, SelfAttention)]
        assert places == ([] if expected is None else [expected])
    with pytest.raises(ConfigError, match=r"model\.discriminator\.attention: no maps have 17 .* take 16 or less"):
        small("model.discriminator.attention=17").build_discriminator(space())


def test_latents_are_split_over_the_base_and_the_blocks() -> None:
    torch.manual_seed(0)
    model = small()
    assert model.parts(3) == [5, 3, 3, 3]
    generator = model.build_generator(space()).eval()
    seen: list[torch.Tensor] = []
    for block in generator.blocks:
        block.register_forward_pre_hook(lambda block, inputs: seen.append(inputs[1]))
    latents = torch.randn(2, 14)
    generator(latents)
    assert torch.equal(torch.cat(seen, 1), latents[:, 5:])


def test_a_class_enters_every_block_by_one_shared_embedding() -> None:
    torch.manual_seed(0)
    generator = small().build_generator(space(classes=3)).eval()
    seen: list[torch.Tensor] = []
    for block in generator.blocks:
        block.register_forward_pre_hook(lambda block, inputs: seen.append(inputs[1]))
    latents, labels = torch.randn(3, 14), torch.tensor([2, 0, 2])
    images = generator(latents, labels)
    assert all(torch.equal(each[:, :2], generator.embedding(labels)) for each in seen)
    assert not torch.allclose(images, generator(latents, torch.tensor([1, 0, 2])))


def test_codes_are_mixed_into_the_latents() -> None:
    model = small("model.categorical_codes=[3]", "model.continuous_codes=1")
    generator = model.build_generator(space()).eval()
    latents = torch.randn(2, 18)
    changed = latents.clone()
    changed[:, -1] += 1
    assert not torch.allclose(generator(latents), generator(changed))
    judge = model.build_discriminator(space())
    assert judge.code_logits(judge.features(torch.randn(2, 3, 32, 32))).shape == (2, 4)


def test_weights_start_orthogonal_and_of_norm_1() -> None:
    torch.manual_seed(0)
    model = small("model.generator.width=2", "model.discriminator.width=4")
    for network in (model.build_generator(space(classes=3)), model.build_discriminator(space(classes=3))):
        for name, module in network.eval().named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                singular = torch.linalg.svdvals(module.weight.detach().flatten(1))
                assert torch.allclose(singular, torch.ones_like(singular), atol=1e-4), name
                assert module.bias is None or not module.bias.any()


def test_every_layer_but_norms_and_the_shared_embedding_is_spectrally_normalised() -> None:
    model = small()
    generator, judge = model.build_generator(space(classes=3)), model.build_discriminator(space(classes=3))
    plain = {name for net in (generator, judge) for name, each in net.named_parameters() if each.dim() > 1}
    assert {name for name in plain if not name.endswith("original")} == {"embedding.weight"}
    assert model.lipschitz
    assert not model.mixes_samples


def test_a_critic_need_not_be_spectrally_normalised() -> None:
    model = small("model.discriminator.norm=none")
    judge = model.build_discriminator(space(classes=3))
    assert not any(name.endswith("original") for name, _ in judge.named_parameters())
    assert not model.lipschitz


@pytest.mark.parametrize(("output", "low", "high"), [("tanh", -1.0, 1.0), ("sigmoid", 0.0, 1.0)])
def test_images_lie_in_the_models_range(output: str, low: float, high: float) -> None:
    model = small(f"model.generator.output={output}")
    generator = model.build_generator(space())
    nn.init.constant_(generator.norm.weight, 30.0)
    images = generator(torch.randn(8, 14))
    assert model.value_range == (low, high)
    assert low <= images.min() < low + 0.1
    assert high - 0.1 < images.max() <= high
