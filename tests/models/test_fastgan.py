"""FastGAN: shapes from the data, which maps excite which, patches, decoders, noise, what is refused."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganctl.errors import ConfigError, SizeError
from ganctl.models import MODELS
from ganctl.models.fastgan import HALVINGS, quarters
from ganctl.models.parts.gated import Noise
from ganctl.models.parts.sizes import sides
from ganctl.samples import SampleSpace
from tests.composed import composed

SMALL = ("model.generator.width=2", "model.discriminator.width=2", "model.latent=6", "model.embedding=3")
SIDES = sides(HALVINGS)


def small(*overrides: str) -> Any:
    return MODELS["fastgan"].model_validate(composed("model=fastgan", *SMALL, *overrides)["model"])


def decoding(*overrides: str) -> Any:
    return small("model.discriminator.decoders=true", *overrides)


def space(height: int = 32, width: int | None = None, channels: int = 3, classes: int = 0) -> SampleSpace:
    shape = (channels, height, width or height)
    return SampleSpace.of_shape(shape, classes=tuple(map(str, range(classes))))


def test_the_sides_are_4_to_7_pixels_doubled_three_times_and_more() -> None:
    assert SIDES[:6] == [32, 40, 48, 56, 64, 80]
    assert SIDES[-1] == 1024


SHAPES = [(side, side) for side in SIDES] + [(32, 64), (48, 32), (128, 192)]


@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.usefixtures("quick_spectral_norm")
def test_every_size_is_made_judged_and_decoded(height: int, width: int) -> None:
    model, images_of = decoding(), space(height, width)
    with torch.device("meta"):
        images = model.build_generator(images_of)(torch.randn(2, 6))
        assert images.shape == (2, 3, height, width)
        judge = model.build_discriminator(images_of)
        features = judge.features(images)
        _, base_height, base_width = judge.shapes[0]
        assert judge.logits(features).shape == (2 * (base_height - 3) * (base_width - 3), 2)
        made, wanted = judge.reconstructed(features, images, torch.rand(2))
    assert made.shape == wanted.shape == (3, 2, 3, height // judge.shrink, width // judge.shrink)


@pytest.mark.parametrize(("side", "smaller"), [(32, 16), (64, 32), (128, 64), (256, 128), (512, 128), (1024, 128)])
@pytest.mark.usefixtures("quick_spectral_norm")
def test_the_small_image_has_half_the_side_up_to_128_pixels_and_25_patches(side: int, smaller: int) -> None:
    with torch.device("meta"):
        judge = small().build_discriminator(space(side))
        assert side // judge.shrink == smaller
        assert judge(torch.empty(2, 3, side, side)).shape == (50, 2)


@pytest.mark.parametrize(("side", "near"), [(28, (32,)), (36, (32, 40)), (2048, (1024,))])
def test_another_side_is_refused_with_its_neighbours(side: int, near: tuple[int, ...]) -> None:
    for build in (small().build_generator, small().build_discriminator):
        with pytest.raises(SizeError) as refused:
            build(space(side))
        assert refused.value.sides == near


def test_points_are_refused() -> None:
    with pytest.raises(ConfigError, match="model=mlp"):
        small().build_generator(SampleSpace.of_shape((2,)))


@pytest.mark.parametrize(
    ("side", "made", "judged"),
    [(32, 0, 0), (64, 1, 1), (128, 2, 2), (256, 3, 3), (512, 4, 3), (1024, 4, 3)],
)
@pytest.mark.usefixtures("quick_spectral_norm")
def test_maps_excite_those_of_16_times_and_an_eighth_of_their_side(side: int, made: int, judged: int) -> None:
    with torch.device("meta"):
        assert len(small().build_generator(space(side)).excitations) == made
        assert len(small().build_discriminator(space(side)).excitations) == judged


@pytest.mark.parametrize("classes", [0, 3])
def test_noise_is_drawn_in_training_and_left_out_of_evaluation(classes: int) -> None:
    torch.manual_seed(0)
    generator = small(f"model.conditional={bool(classes)}").build_generator(space(classes=classes))
    for module in generator.modules():
        if isinstance(module, Noise):
            nn.init.constant_(module.weight, 0.5)
    latents, labels = torch.randn(4, 6), (torch.tensor([0, 1, 2, 0]),) if classes else ()
    first, second = generator(latents, *labels), generator(latents, *labels)
    assert not torch.allclose(first, second, atol=1e-3)
    generator.eval()
    assert torch.equal(generator(latents, *labels), generator(latents, *labels))


def test_a_quarter_of_each_image_is_cut_out() -> None:
    images = torch.arange(4 * 2 * 4 * 6.0).reshape(4, 2, 4, 6)
    places = torch.tensor([0, 3, 1, 2])
    expected = [images[0, :, :2, :3], images[1, :, 2:, 3:], images[2, :, :2, 3:], images[3, :, 2:, :3]]
    assert torch.equal(quarters(images, places), torch.stack(expected))


def test_both_images_are_judged_by_patches_the_large_one_first() -> None:
    torch.manual_seed(0)
    judge = small().build_discriminator(space(64)).eval()
    images = torch.randn(2, 3, 64, 64)
    other = images.clone()
    other[:, :, ::2, ::2] += 1
    other[:, :, 1::2, ::2] -= 1  # the means of each 2×2 pixels stay
    first, second = judge(images), judge(other)
    assert first.shape == (50, 2)
    assert torch.allclose(first[25:], second[25:], atol=1e-6)
    assert not torch.allclose(first[:25], second[:25], atol=1e-6)


def test_a_patch_sees_its_part_of_the_image_and_no_other_sample() -> None:
    torch.manual_seed(0)
    judge = small().build_discriminator(space(32)).eval()
    images = torch.randn(2, 3, 32, 32, requires_grad=True)
    logits = judge(images)
    (gradient,) = torch.autograd.grad(logits[0, 0], images)
    assert gradient[1].abs().max() == 0
    assert gradient[0, :, -2:, -2:].abs().max() == 0
    assert gradient[0, :, :8, :8].abs().max() > 0


def test_decoders_make_the_quarter_that_is_asked_for() -> None:
    torch.manual_seed(0)
    judge = decoding().build_discriminator(space(32)).eval()
    images = torch.randn(4, 3, 32, 32)
    features = judge.features(images)
    (one, first), (other, last) = (judge.reconstructed(features, images, torch.full((4,), x)) for x in (0.1, 0.9))
    assert torch.equal(one[:2], other[:2])
    assert not torch.allclose(one[2], other[2])
    assert torch.equal(first[2], images[:, :, :16, :16])
    assert torch.equal(last[2], images[:, :, 16:, 16:])
    for whole in first[:2]:
        torch.testing.assert_close(whole, images.unflatten(3, (16, 2)).unflatten(2, (16, 2)).mean((3, 5)))


def test_decoders_see_what_they_decode() -> None:
    """The quarter's decoder sees the maps of that quarter alone."""
    torch.manual_seed(0)
    judge = decoding().build_discriminator(space(32)).eval()
    maps = {name: torch.randn(1, *shape) for name, shape in zip("lsb", judge.shapes, strict=True)}

    def decoded(changed: Tensor) -> Tensor:
        kept = [maps["l"], maps["s"], changed]
        features = torch.cat([each.permute(0, 2, 3, 1).flatten(1) for each in kept], 1)
        made: Tensor = judge.reconstructed(features, torch.zeros(1, 3, 32, 32), torch.tensor([0.3]))[0][2]
        return made

    elsewhere, there = maps["b"].clone(), maps["b"].clone()
    elsewhere[:, :, 8:] += 1
    there[:, :, :8, 8:] += 1
    before = decoded(maps["b"])
    assert torch.equal(decoded(elsewhere), before)
    assert not torch.allclose(decoded(there), before)


@pytest.mark.parametrize(("output", "low"), [("tanh", -1.0), ("sigmoid", 0.0)])
def test_images_and_decoded_images_lie_in_the_models_range(output: str, low: float) -> None:
    model = decoding(f"model.generator.output={output}")
    images = model.build_generator(space())(torch.randn(8, 6))
    judge = model.build_discriminator(space())
    made, _ = judge.reconstructed(judge.features(images), images, torch.rand(8))
    assert model.value_range == (low, 1.0)
    for each in (images, made):
        assert low <= each.min()
        assert each.max() <= 1
        assert (each.min() < 0) == (low < 0)


def test_heads_read_the_last_maps_means() -> None:
    torch.manual_seed(0)
    model = small("model.categorical_codes=[3]", "model.continuous_codes=1")
    judge = model.build_discriminator(space()).eval()
    features = judge.features(torch.randn(2, 3, 32, 32))
    maps = features[:, : 16 * 64].unflatten(1, (8, 8, 16))
    torch.testing.assert_close(judge.summary(features), maps.mean((1, 2)))
    assert judge.code_logits(features).shape == (2, 4)


def test_an_image_enlarged_by_repetition_is_judged_small_as_itself() -> None:
    torch.manual_seed(0)
    judge = small().build_discriminator(space(64)).eval()
    seen: list[Tensor] = []
    judge.small.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    images = torch.randn(2, 3, 32, 32)
    judge(interpolate(images, 64))
    torch.testing.assert_close(seen[0], images)


def test_the_discriminator_has_batch_norm_and_no_bound_of_its_slope() -> None:
    assert small().mixes_samples
    assert not small().lipschitz


def test_without_batch_norm_no_sample_changes_the_logits_of_another() -> None:
    judge = small("model.discriminator.norm=none").build_discriminator(space(channels=1)).eval()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in judge.modules())
    samples = torch.rand(3, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(judge(samples)[:, :2], judge(samples[:2]), rtol=0, atol=1e-5)
