"""What the discriminator sees: augmented images of both sides, from the feed's numbers; strengths that adapt."""

from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor

from ganctl.augment import Augment
from ganctl.errors import ConfigError
from ganctl.game.augmenter import Augmenter
from ganctl.game.scalars import measure
from ganctl.game.step import Game, train_step
from tests.game.games import round_of, small_game


class Brightened(Augment):
    """Adds the first uniform number to each image."""

    name: Literal["brightened"]

    @property
    def uniforms(self) -> int:
        return 1

    def transform(self, images: Tensor, uniforms: Tensor, noise: Any, strength: Any) -> Tensor:
        return images + uniforms.view(-1, 1, 1, 1)


def brightened(game: Game) -> Game:
    game.discriminator.augmenter = Augmenter({"brightened": Brightened(name="brightened")})
    game.draws = replace(game.draws, augmenter=game.discriminator.augmenter)
    return game


def test_without_augmentations_the_discriminator_sees_the_samples_themselves() -> None:
    game = small_game()
    samples = torch.zeros(2, 1, 8, 8)
    assert game.networks.augment(samples, "real", {}) is samples


def test_both_sides_are_augmented_by_numbers_of_their_own() -> None:
    game = brightened(small_game())
    seen: dict[str, Tensor] = {}
    features = game.discriminator.network.features

    def spied(samples: Tensor) -> Tensor:
        seen[("real", "fake")[len(seen)]] = samples
        return features(samples)

    game.discriminator.network.features = spied  # type: ignore[operator, assignment, method-assign]
    this = round_of(game, "discriminator")
    assert this.real_logits.shape == this.fake_logits.shape
    numbers = {side: this._feed[f"augment.brightened.{side}.numbers"] for side in ("real", "fake")}
    assert not numbers["real"].equal(numbers["fake"])
    for side, samples in seen.items():
        difference = samples - getattr(this, side)
        torch.testing.assert_close(difference, numbers[side].view(-1, 1, 1, 1).expand_as(difference))


def test_the_gradient_is_of_the_image_before_augmentation() -> None:
    game = brightened(small_game("device.precision=fp64"))
    this = round_of(game, "discriminator")
    gradient = this.real_gradient.detach()
    shift = 1e-6 * torch.randn_like(this.real)
    with torch.no_grad():
        ends = [
            game.networks.logits(game.networks.features(this.real + sign * shift, "real", this._feed), None).sum()
            for sign in (1, -1)
        ]
    assert float(ends[0] - ends[1]) == pytest.approx(2 * float((gradient * shift.flatten(1)).sum()), rel=1e-4)


def test_an_update_that_reads_no_real_images_draws_nothing_for_them() -> None:
    game = brightened(small_game("train.share_fakes=false"))
    (feed,) = game.draws.feeds("generator", 0, {})
    assert feed.keys() == {"latents", "augment.brightened.fake.numbers"}


def test_points_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^augment.diffaugment: .* set augment=\[\]$"):
        small_game("augment=[diffaugment]", model="mlp", data="ring")


def test_a_strength_moves_with_the_signs_of_real_logits_and_is_logged() -> None:
    words = ("augment=[ada]", "augment.ada.interval=1", "augment.ada.kimg=0.1", "augment.ada.initial=0.5")
    rising, falling = (small_game(*words, f"augment.ada.target={target}") for target in (-1.0, 1.0))
    for game, moved in ((rising, 1), (falling, -1)):
        for step in range(5):
            train_step(game, step)
        strength = float(game.discriminator.augmenter.strengths["ada"].value)
        assert (strength - 0.5) * moved > 0
        assert measure(game, 4)["augment/ada"] == strength
        assert [name for name in game.members if name.startswith("augment")] == ["augment.ada"]
