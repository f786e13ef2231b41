"""The numbers of a step as they are logged."""

import pytest
import torch

from ganctl.game.players import Update
from ganctl.game.scalars import measure
from ganctl.game.step import train_step
from ganctl.losses import LOSSES
from tests.game.games import small_game

REAL, FAKE = torch.tensor([0.9, 1.1, 0.4, 1.2]), torch.tensor([0.1, -0.1, 0.2, 0.7])


@pytest.mark.parametrize(
    ("loss", "accuracy"),
    [("nonsaturating", 0.625), ("minimax", 0.625), ("hinge", 0.625), ("lsgan", 0.75)],
)
def test_accuracy_is_the_share_on_the_right_side_of_the_losss_boundary(loss: str, accuracy: float) -> None:
    game = small_game(f"loss={loss}")
    train_step(game, 0)
    game.discriminator.last = Update({}, {"real": REAL, "fake": FAKE}, {})
    numbers = measure(game, 0, LOSSES[loss].boundary)
    assert numbers["accuracy"] == pytest.approx(accuracy)
    assert ("probability/real" in numbers) == (loss != "lsgan")


@pytest.mark.parametrize("loss", ["relativistic", "relativistic_average", "wgan_gp"])
def test_a_loss_that_only_compares_has_neither_accuracy_nor_probability(loss: str) -> None:
    game = small_game(f"loss={loss}")
    train_step(game, 0)
    numbers = measure(game, 0, LOSSES[loss.removesuffix("_gp")].boundary)
    assert {"logits/real", "logits/fake"} <= numbers.keys()
    assert not {"accuracy", "probability/real", "probability/fake"} & numbers.keys()
