"""Directions: of known weights, of linear generators in closed form, and of every family of models."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganctl.errors import ConfigError
from ganctl.models import MODELS, StyledGenerator
from ganctl.models.parts.styles.equalized import EqualLinear
from ganctl.uses.principal import Directions, Method, directions_of, moving, principal, sefa
from tests.uses.generators import LinearGenerator, opened


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def assert_equal_but_for_signs(found: Tensor, expected: Tensor, atol: float) -> None:
    largest = expected.gather(1, expected.abs().argmax(1, keepdim=True))
    torch.testing.assert_close(found.double(), expected * largest.sign(), rtol=0, atol=atol)


def assert_are_directions(found: Directions) -> None:
    torch.testing.assert_close(found.vectors.norm(dim=1), torch.ones(len(found.vectors)))
    assert found.vectors.gather(1, found.vectors.abs().argmax(1, keepdim=True)).min() > 0
    assert found.gains.tolist() == sorted(found.gains.tolist(), reverse=True)
    assert found.gains.min() > 0
    assert found.vectors.dtype == found.gains.dtype == torch.float32


def white(count: int, width: int) -> Tensor:
    """Return latents whose mean is 0 and whose covariance is 1 but for rounding."""
    values = drawn(count, width, seed=5)
    return torch.linalg.qr(values - values.mean(0)).Q * math.sqrt(count - 1)


@pytest.mark.parametrize("shape", [(12, 5), (5, 5), (3, 5)])
def test_sefa_are_numpys_right_singular_vectors(shape: tuple[int, int]) -> None:
    weight = drawn(*shape)
    found = sefa(weight.float())
    _, gains, vectors = np.linalg.svd(weight.float().double().numpy(), full_matrices=False)
    # single precision: results are rounded to it
    np.testing.assert_allclose(found.gains.numpy(), gains, rtol=1e-6)
    assert_equal_but_for_signs(found.vectors, torch.from_numpy(vectors), 1e-6)
    assert_are_directions(found)
    assert torch.equal(sefa(-weight.float()).vectors, found.vectors)


def test_directions_that_change_nothing_are_left_out() -> None:
    weight = drawn(8, 2) @ drawn(2, 5, seed=1)
    assert len(sefa(weight).vectors) == 2
    latents = drawn(100, 5, seed=2)
    assert len(principal(latents @ weight.T, latents).vectors) == 2


@pytest.mark.parametrize("method", ["sefa", "pca"])
def test_the_first_direction_of_a_linear_generator_varies_its_samples_most(method: Method) -> None:
    basis, turned = torch.linalg.qr(drawn(5, 5)).Q, torch.linalg.qr(drawn(9, 5, seed=1)).Q
    gains = torch.tensor([6.0, 4, 2, 1, 0.5], dtype=torch.float64)
    trained = opened("mlp", "model.latent=5", network=LinearGenerator((turned * gains) @ basis.T))
    found = directions_of(trained, method)
    # pca estimates from 10,000 latents: gains and angles have errors of about 1/√10,000
    atol, rtol = (1e-5, 1e-5) if method == "sefa" else (0.05, 0.05)
    torch.testing.assert_close(found.gains.double(), gains, rtol=rtol, atol=0)
    assert_equal_but_for_signs(found.vectors, basis.T, atol)


def test_pca_of_a_linear_layer_with_white_latents_is_sefa() -> None:
    weight, latents = drawn(12, 5), white(200, 5)
    found, closed = principal(latents @ weight.T + 3, latents), sefa(weight)
    torch.testing.assert_close(found.gains, closed.gains)
    torch.testing.assert_close(found.vectors, closed.vectors)


def test_a_component_is_carried_back_to_what_it_predicts_of_latents_by_least_squares() -> None:
    latents = drawn(300, 4) @ drawn(4, 4, seed=1) + 2
    activations = (latents @ drawn(4, 6, seed=2)).relu()
    found = principal(activations, latents)
    assert_are_directions(found)
    centred = (activations - activations.mean(0)).numpy()
    values, vectors = np.linalg.eigh(centred.T @ centred / 299)
    kept = np.argsort(values)[::-1][: len(found.vectors)]
    np.testing.assert_allclose(found.gains.numpy(), np.sqrt(values[kept]), rtol=1e-5)
    coordinates = centred @ vectors[:, kept]  # uncorrelated, so that each has a regression of its own
    slopes = (coordinates.T @ latents.numpy()) / (coordinates**2).sum(0)[:, None]
    expected = torch.from_numpy(slopes / np.linalg.norm(slopes, axis=1, keepdims=True))
    assert_equal_but_for_signs(found.vectors, expected, 1e-5)


@pytest.mark.parametrize("words", [(), ("model.conditional=true", "model.categorical_codes=[3]")])
@pytest.mark.parametrize("name", list(MODELS))
def test_every_family_has_directions_of_its_priors_values_or_styles(name: str, words: tuple[str, ...]) -> None:
    trained = opened(name, *words)
    width = 4 if name == "stylegan2" else trained.config.model.latent
    sefa, pca = directions_of(trained, "sefa"), directions_of(trained, "pca")
    for found in (sefa, pca):
        assert_are_directions(found)
        assert found.vectors.shape == (width, width)
    torch.testing.assert_close(sefa.vectors @ sefa.vectors.T, torch.eye(width), rtol=0, atol=1e-5)
    assert torch.equal(directions_of(trained, "pca").vectors, pca.vectors)


WAYS_IN = {
    "conv1d": ("model.conditional=true", "model.generator.norm=spectral"),
    "dcgan": ("model.conditional=true", "model.generator.norm=spectral"),
    "mlp": ("model.conditional=true", "model.generator.norm=spectral"),
    "resnet": ("model.generator.spectral=true", "model.continuous_codes=1"),
    "r3gan": ("model.conditional=true",),
    "fastgan": ("model.conditional=true",),
    "biggan": ("model.conditional=true",),
    "unet": ("model.categorical_codes=[3]",),
    "stylegan2": (),
}


@pytest.mark.parametrize("name", WAYS_IN)
def test_the_entrance_is_what_the_first_layers_make_of_each_latent(name: str) -> None:
    trained = opened(name, *WAYS_IN[name])
    network: Any = trained.network.eval()
    styled = isinstance(network, StyledGenerator)
    width = trained.latents.width if not styled else 4
    kind = {"biggan": nn.Linear, "unet": nn.Linear, "stylegan2": EqualLinear}.get(name, nn.Module)
    made: list[Tensor] = []

    def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:
        made.append(output.flatten(1).clone())  # which a ReLU would overwrite

    layers = [each for each in network.modules() if isinstance(each, kind) and hasattr(each, "weight")]
    inner = [each for each in layers if not isinstance(each, nn.Embedding | nn.BatchNorm2d)]
    if styled:
        inner = [each for part, each in network.blocks.named_modules() if part.endswith("affine")]
    elif kind is nn.Module:
        inner = inner[:1]
    elif name == "unet":
        inner = [each for each in inner if each is not network.mix]
    for layer in inner:
        layer.register_forward_hook(keep)
    values = torch.cat([torch.zeros(1, width), torch.eye(width)])
    labels = torch.ones(width + 1, dtype=torch.int64) if trained.space.classes else None
    if styled:
        network.synthesise(values[:, None].expand(-1, network.styles_each, -1))
    else:
        network(values, labels)
    outputs = torch.cat(made, 1)
    # layers are called in another order than they are listed in; singular values do not depend on it
    expected = torch.linalg.svdvals(outputs[1:] - outputs[:1])
    found = torch.linalg.svdvals(network.entrance(trained.latents.width))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_generator_whose_first_layer_is_not_found_is_told_to_say_it() -> None:
    trained = opened("mlp", "model.latent=5", network=LinearGenerator(drawn(3, 4)))
    with pytest.raises(ConfigError, match="no layer of this generator takes 5 latents; its class must say"):
        directions_of(trained, "sefa")


def test_a_direction_is_asked_for_by_its_number() -> None:
    found = sefa(drawn(4, 3))
    assert torch.equal(found.numbered(3), found.vectors[2])
    for number in (0, 4):
        with pytest.raises(ConfigError, match=f"^direction: there is no direction {number}; .* 3 directions"):
            found.numbered(number)


def test_classes_alone_are_no_direction_of_styles() -> None:
    trained = opened("stylegan2", "model.conditional=true")
    network: Any = trained.network
    plain = directions_of(trained, "pca")
    styles = network.styles

    def apart(latents: Tensor, labels: Tensor) -> Tensor:
        each: Tensor = styles(latents, labels)
        return each + 50 * labels[:, None, None]

    network.styles = apart
    found = directions_of(trained, "pca")
    # sums of numbers around 50 in float32
    torch.testing.assert_close(found.gains, plain.gains, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("prior", ["normal", "sphere"])
def test_rows_are_moved_by_their_own_shifts_whatever_the_batch(prior: str) -> None:
    trained = opened("mlp", f"model.prior={prior}", "model.conditional=true", "model.continuous_codes=1")
    latents, shifts = trained.draw_latents(5, 0), drawn(5, 4).float()
    labels = torch.tensor([0, 1, 2, 0, 1])
    moved = latents.clone()
    moved[:, :4] += shifts
    if prior == "sphere":
        moved[:, :4] *= 2 / moved[:, :4].norm(dim=1, keepdim=True)
    expected = trained.rows(moved, labels)
    assert (expected - trained.rows(latents, labels)).abs().max() > 0.01
    for batch_size in (1, 2, 64):
        torch.testing.assert_close(
            moving(trained).rows(torch.cat([latents, shifts], 1), labels, batch_size), expected
        )


def test_styles_are_moved_after_truncation() -> None:
    trained = opened("stylegan2")
    network: Any = trained.network.eval()
    network.mean_style.fill_(0.3)
    trained.truncate(0.5)
    latents, shifts = trained.draw_latents(3, 0), drawn(3, 4).float()
    styles = 0.3 + 0.5 * (network.mapping(latents) - 0.3) + shifts
    expected = network.synthesise(styles[:, None].expand(-1, network.styles_each, -1))
    found = moving(trained).rows(torch.cat([latents, shifts], 1))
    assert torch.equal(found, trained.space.kind.store(expected, trained.space.value_range))
