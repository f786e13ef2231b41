"""Conditional models: what labels change in both networks, and what they leave alone without classes."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganctl.errors import ConfigError
from ganctl.models import MODELS
from ganctl.samples import SampleSpace
from tests.composed import composed

CLASSES = ("ant", "bee", "cat")
SHAPE = (3, 32, 32)
LABELS = torch.tensor([0, 2, 2, 1])
OF_IMAGES = [name for name in MODELS if name != "conv1d"]
"""Models of sequences have a test of their own."""


def model_of(name: str, *overrides: str) -> Any:
    return MODELS[name].model_validate(composed(f"model={name}", *overrides)["model"])


def networks(name: str, *overrides: str, shape: tuple[int, ...] = SHAPE) -> tuple[Any, Any, Any]:
    model = model_of(name, *overrides)
    space = model.space(SampleSpace.of_shape(shape, classes=CLASSES))
    torch.manual_seed(0)
    pair = model.build_generator(space).double().eval(), model.build_discriminator(space).double().eval()
    return model, *pair


def latents(model: Any, count: int = 4) -> Tensor:
    return torch.randn(count, model.latents.width, generator=torch.Generator().manual_seed(1)).double()


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_label_changes_a_sample_and_its_logit(name: str) -> None:
    model, generator, discriminator = networks(name, "model.conditional=true")
    for module in generator.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight)  # some start with the same for every class
    values = latents(model, 1).repeat(3, 1)
    labels = torch.arange(3)
    samples = generator(values, labels)
    assert samples.shape == (3, *SHAPE)
    assert min(torch.pdist(samples.flatten(1))) > 0
    logits = discriminator(samples[:1].repeat(3, 1, 1, 1), labels)
    assert logits.shape[-1] == 3
    assert all(len(set(kind.tolist())) == 3 for kind in logits.reshape(-1, 3))


@pytest.mark.parametrize("name", [name for name in OF_IMAGES if name != "stylegan2"])  # which maps the class first
def test_a_projected_logit_is_linear_in_the_features(name: str) -> None:
    _, _, discriminator = networks(name, "model.conditional=true")
    features = discriminator.features(torch.randn(4, *SHAPE).double())
    other = (LABELS + 1) % 3

    def difference(features: Tensor) -> Tensor:
        found: Tensor = discriminator.logits(features, LABELS) - discriminator.logits(features, other)
        return found

    found = difference(features)
    assert found.abs().min() > 0
    torch.testing.assert_close(difference(3 * features), 3 * found, rtol=1e-6, atol=1e-9)
    if discriminator.heads.embedding is not None:
        embedding = discriminator.heads.embedding.weight.double()
        expected = ((embedding[LABELS] - embedding[other]) * discriminator.summary(features)).sum(1)
        whole = found[0] if name == "unet" else found  # whose pixels have an embedding of their own
        torch.testing.assert_close(whole, expected.expand_as(whole), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_class_head_leaves_the_logit_to_the_sample_alone(name: str) -> None:
    words = ("model.conditional=true", "model.discriminator.condition=classifier")
    _, _, discriminator = networks(name, *words)
    features = discriminator.features(torch.randn(4, *SHAPE).double())
    assert discriminator.class_logits(features).shape == (4, 3)
    assert torch.equal(discriminator.logits(features, LABELS), discriminator.logits(features))
    assert not any("embedding" in key for key, _ in discriminator.named_parameters())


@pytest.mark.parametrize("name", OF_IMAGES)
def test_codes_widen_the_latents_and_are_told_from_features(name: str) -> None:
    model, generator, discriminator = networks(name, "model.categorical_codes=[3,4]", "model.continuous_codes=2")
    assert model.latents.width == model.latent + 9
    samples = generator(latents(model))
    assert discriminator.code_logits(discriminator.features(samples)).shape == (4, 7 + 2)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_without_classes_nothing_is_there_for_them(name: str) -> None:
    _, generator, discriminator = networks(name)
    for network in (generator, discriminator):
        assert not any(isinstance(module, nn.Embedding) for module in network.modules())
    assert list(discriminator.heads.parameters()) == []


@pytest.mark.parametrize("name", OF_IMAGES)
def test_data_without_classes_is_refused(name: str) -> None:
    model = model_of(name, "model.conditional=true")
    with pytest.raises(ConfigError, match=r"^model.conditional: the data has no classes"):
        model.space(SampleSpace.of_shape(SHAPE))


@pytest.mark.parametrize("norm", ["spectral", "none"])
def test_a_head_is_normalised_like_the_other_layers(norm: str) -> None:
    words = ("model.conditional=true", f"model.discriminator.norm={norm}")
    _, _, discriminator = networks("dcgan", *words)
    names = {key for key, _ in discriminator.heads.named_parameters()}
    spectral = {"embedding.parametrizations.weight.original"}
    assert names == (spectral if norm == "spectral" else {"embedding.weight"})
