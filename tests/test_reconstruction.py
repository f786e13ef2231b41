"""The reconstruction term: what is compared, as the discriminator sees it, and which weights learn from it."""

import pytest
import torch
from torch import Tensor

from ganctl.game.round import Round
from ganctl.game.step import Game
from scripts.soaks.configs import SMALL_OPTIONS
from tests.game.games import assert_slope, round_of, small_game


def reconstructing(*words: str) -> Game:
    needs = SMALL_OPTIONS["auxiliary=[reconstruction]"]
    return small_game("auxiliary=[reconstruction]", "device.precision=fp64", *needs, *words, model="fastgan")


@pytest.mark.parametrize("pack", [1, 2])
def test_reconstruction_is_the_mean_difference_of_decoded_images_from_real_ones(pack: int) -> None:
    game = reconstructing(f"train.pack={pack}")
    game.discriminator.network.eval()  # else spectral norm moves from one forward to the next
    this = round_of(game, "discriminator", quarter="uniform")
    (term,) = (each for each in game.discriminator.terms if each.name == "reconstruction")
    made, wanted = this.reconstructed(this.uniform("quarter"))
    assert made.shape == wanted.shape == (3, 4 // pack, pack, 16, 16)
    expected = sum((made[kind] - wanted[kind]).abs().mean().item() for kind in range(3))
    assert term.compute(this).item() == pytest.approx(expected, rel=1e-9)
    whole = this.real.reshape(4 // pack, pack, 16, 2, 16, 2).mean((3, 5))
    torch.testing.assert_close(wanted[:2], whole.expand(2, *whole.shape))
    for number, place in enumerate((this.uniform("quarter") * 4).long().tolist()):
        row, column = 16 * (place // 2), 16 * (place % 2)
        images = this.real[number * pack : (number + 1) * pack, 0]
        assert torch.equal(wanted[2, number], images[:, row : row + 16, column : column + 16])


def test_reconstruction_is_of_real_images_as_the_discriminator_sees_them() -> None:
    game = reconstructing("augment=[diffaugment]")
    feed = dict(next(game.draws.feeds("discriminator", 0, {"real": None, "quarter": "uniform"})))
    this = Round(game.networks, feed)
    _, wanted = this.reconstructed(this.uniform("quarter"))
    seen = game.networks.augment(this.real, "real", feed)
    assert not torch.allclose(seen, this.real)
    torch.testing.assert_close(wanted[0], seen.unflatten(3, (16, 2)).unflatten(2, (16, 2)).mean((3, 5)))


def test_the_gradient_of_reconstruction_is_its_slope_at_decoders_and_at_what_they_decode() -> None:
    game = reconstructing()
    (term,) = (each for each in game.discriminator.terms if each.name == "reconstruction")
    game.generator.trainable(False)
    game.discriminator.network.eval()

    def value() -> Tensor:
        return term.compute(round_of(game, "discriminator", quarter="uniform"))

    weights = dict(game.discriminator.network.named_parameters())
    for stem in ("blocks.0.conv", "decoders.0.0.0.conv", "decoders.2.0.0.conv"):
        assert_slope(value, weights[f"{stem}.parametrizations.weight.original"])
    judged = [name for name in weights if name.startswith(("patches", "small_patches"))]
    found = torch.autograd.grad(value(), [weights[name] for name in judged], allow_unused=True)
    assert judged
    assert all(gradient is None for gradient in found)
