"""The average of the generator's weights."""

import pytest
import torch
from torch import nn

from ganctl.game.step import train_step
from ganctl.models.ema import Ema
from tests.game.games import small_game


def linear(value: float) -> nn.Module:
    network = nn.Linear(1, 1, bias=False)
    nn.init.constant_(network.weight, value)
    return network


def test_after_one_half_life_of_images_half_the_old_weights_are_left() -> None:
    ema = Ema(linear(1.0), linear(0.0), half_life=100, ramp=0)
    for update in range(10):
        ema.update(images_seen=10 * (update + 1), batch_size=10)
    assert ema.average.weight.item() == pytest.approx(0.5, rel=1e-6)


def test_the_ramp_shortens_the_half_life_to_a_share_of_the_images_seen() -> None:
    ema = Ema(linear(1.0), linear(0.0), half_life=1e9, ramp=0.05)
    assert ema.decay(images_seen=2000, batch_size=100) == pytest.approx(0.5)
    assert ema.decay(images_seen=4000, batch_size=100) == pytest.approx(0.5**0.5)


def test_running_statistics_are_averaged_and_counters_copied() -> None:
    average, network = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    network.running_mean.fill_(4.0)
    network.num_batches_tracked.fill_(7)
    ema = Ema(average, network, half_life=10, ramp=0)
    ema.update(images_seen=10, batch_size=10)
    assert average.running_mean.item() == pytest.approx(2.0)
    assert average.num_batches_tracked.item() == 7


def test_the_average_of_a_spectrally_normalised_generator_is_spectrally_normalised() -> None:
    game = small_game("model.generator.norm=spectral", "optimizer.lr=1e-2", "ema.half_life=40")
    for step in range(60):
        train_step(game, step)
    assert game.ema is not None
    for module in game.ema.average.modules():
        if isinstance(module, nn.ConvTranspose2d):
            directions = module.parametrizations.weight[0]
            assert directions._u.norm().item() == pytest.approx(1, abs=1e-4)
            assert directions._v.norm().item() == pytest.approx(1, abs=1e-4)


def test_the_step_averages_the_generator_and_the_average_never_trains() -> None:
    game = small_game("ema.half_life=4", "ema.ramp=0")
    assert game.ema is not None
    start = [value.clone() for value in game.ema.average.parameters()]
    train_step(game, 0)
    pairs = zip(start, game.ema.average.parameters(), game.generator.parameters, strict=True)
    for old, average, new in pairs:
        torch.testing.assert_close(average, (old + new) / 2)
        assert not average.requires_grad
    assert not game.ema.average.training


def test_a_half_life_of_zero_means_no_average() -> None:
    assert small_game("ema.half_life=0").ema is None
