"""The Markov term against closed forms and counts done by hand."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

from ganctl.auxiliary import AUXILIARIES
from ganctl.errors import ConfigError
from ganctl.game.round import Surroundings
from ganctl.models.latents import LatentSpace
from ganctl.samples import SampleSpace
from tests.game.games import small_config, small_game
from tests.metrics.measured import source


def term(form: str, symbols: int | None = None, shape: tuple[int, ...] = (1, 64)) -> Any:
    surroundings = Surroundings(
        "generator", SampleSpace.of_shape(shape), LatentSpace(4), torch.device("cpu"), torch.float32, seed=0
    )
    spec = AUXILIARIES["markov"](name="markov", weight=1.0, every=1, form=form, symbols=symbols)
    return spec.build(surroundings)


def value(form: str, real: torch.Tensor, fake: torch.Tensor, symbols: int | None = None) -> torch.Tensor:
    return term(form, symbols)(SimpleNamespace(real=real, fake=fake))


def walk(phi: float, sigma: float, seed: int = 0, count: int = 5000) -> torch.Tensor:
    rows = source("ar1", phi=phi, sigma=sigma, seed=seed, num=count).load().samples
    return rows.transpose(1, 2).double()


def test_the_likelihood_is_that_of_an_ordinary_regression() -> None:
    real, fake = walk(0.8, 0.6, count=40), walk(0.5, 1.0, seed=1, count=30)
    before, after = real[:, 0, :-1].flatten().numpy(), real[:, 0, 1:].flatten().numpy()
    slope, start = np.polyfit(before, after, 1)
    spread = np.std(after - start - slope * before)
    x, y = fake[:, 0, :-1].numpy(), fake[:, 0, 1:].numpy()
    expected = -norm.logpdf(y, start + slope * x, spread).mean()
    assert value("likelihood", real, fake).item() == pytest.approx(expected, rel=1e-9)


def test_the_divergence_is_that_of_two_normal_models() -> None:
    (phi, sigma), (other, noise) = (0.8, 0.6), (0.5, 0.9)
    found = value("divergence", walk(phi, sigma), walk(other, noise, seed=1)).item()
    spread = noise**2 / (1 - other**2)
    expected = math.log(sigma / noise) + (noise**2 + (other - phi) ** 2 * spread) / (2 * sigma**2) - 0.5
    assert found == pytest.approx(expected, rel=0.02)


def test_the_divergence_is_least_at_the_process_and_the_likelihood_without_noise() -> None:
    real = walk(0.8, 0.6)
    same, quiet = walk(0.8, 0.6, seed=1), walk(0.8, 0.06, seed=1)
    assert 0 <= value("divergence", real, same) < 1e-3 < 1 < value("divergence", real, quiet)
    assert value("likelihood", real, quiet) < value("likelihood", real, same) - 0.4
    assert value("divergence", real, real).item() == 0


def test_channels_are_judged_each_by_itself() -> None:
    reals, fakes = [walk(0.8, 0.6), walk(-0.5, 2.0)], [walk(0.7, 0.5, seed=1), walk(0.1, 1.0, seed=1)]
    each = torch.stack([value("divergence", *pair) for pair in zip(reals, fakes, strict=True)])
    both = value("divergence", torch.cat(reals, 1), torch.cat(fakes, 1))
    torch.testing.assert_close(both, each.mean())


def test_symbols_are_counted() -> None:
    real = torch.tensor([[[0.0, 1.0, 1.0, 2.0]], [[0.0, 1.0, 2.0, 0.0]]])  # 01 ×2, 11 ×1, 12 ×2, 20 ×1
    fake = torch.tensor([[[0.0, 1.0, 2.0]], [[2.0, 2.0, 1.0]]])  # 01, 12, 22, 21
    shares = {(0, 1): 3 / 5, (1, 2): 3 / 6, (2, 2): 1 / 4, (2, 1): 1 / 4}
    expected = -sum(math.log(share) for share in shares.values()) / 4
    assert value("likelihood", real, fake, 3).item() == pytest.approx(expected)
    assert value("divergence", real, real, 3).item() == 0
    torch.testing.assert_close(value("likelihood", real, fake * 1.0 + 5 * (fake == 2), 3).item(), expected)


def test_a_value_between_symbols_counts_as_both_and_has_a_slope() -> None:
    real = torch.tensor([[[0.0, 0.0, 0.0, 1.0]]])
    fake = torch.tensor([[[0.0, 0.25]]], requires_grad=True)
    surprise = torch.tensor([3 / 5, 2 / 5]).log().neg()  # (2 + 1, 1 + 1) of 5
    found = value("likelihood", real, fake, 2)
    assert found.item() == pytest.approx((surprise[0] * 0.75 + surprise[1] * 0.25).item())
    found.backward()
    assert fake.grad is not None
    assert fake.grad[0, 0, 1].item() == pytest.approx((surprise[1] - surprise[0]).item())


@pytest.mark.parametrize("symbols", [None, 4])
@pytest.mark.parametrize("form", ["likelihood", "divergence"])
def test_constant_sequences_give_finite_gradients(form: str, symbols: int | None) -> None:
    fake = torch.zeros(4, 1, 8, requires_grad=True)
    value(form, walk(0.8, 0.6, count=10).float(), fake, symbols).backward()
    assert fake.grad is not None
    assert fake.grad.isfinite().all()


def test_images_are_refused() -> None:
    with pytest.raises(ConfigError, match="auxiliary: markov reads sequences, but the data is 8×8 pixels"):
        term("divergence", shape=(1, 8, 8))


def test_it_belongs_to_the_generator_of_any_model_of_sequences() -> None:
    for model in ("conv1d", "mlp"):
        words = ("auxiliary=[markov]",) if model == "conv1d" else ("model.latent=4",)
        game = small_game(*words, model=model, data="sines")
        terms = [each.name for each in game.generator.terms]
        assert ("markov" in terms) == (model == "conv1d")
    assert small_config("auxiliary=[markov]").data.name == "sines"
