"""Top-k: the generator learns from its samples of the highest logits alone."""

import pytest
import torch

from ganctl.losses import LOSSES
from tests.game.games import round_of, small_game

FAKE_ALONE = sorted(name for name in LOSSES if not LOSSES[name].reads_real)


@pytest.mark.parametrize("name", FAKE_ALONE)
def test_the_generators_loss_is_of_the_best_half(name: str) -> None:
    recipe = "wgan_gp" if name == "wgan" else name
    game = small_game(f"loss={recipe}", "train.topk=0.5", "device.precision=fp64")
    this = round_of(game, "generator")
    (term,) = (each for each in game.generator.terms if each.name == "adversarial")
    logits = this.fake_logits
    chosen = round_of(game, "generator")
    chosen.fake_logits = logits.sort(descending=True).values[: len(logits) // 2]
    whole = small_game(f"loss={recipe}", "device.precision=fp64").generator.terms[-1]
    assert torch.equal(term.compute(this), whole.compute(chosen))
    assert not torch.equal(term.compute(this), whole.compute(this))
    assert this.fake_logits is logits


def test_the_best_are_of_each_kind_and_at_least_one() -> None:
    this = round_of(small_game(), "generator")
    this.fake_logits = torch.tensor([[1.0, 4.0, 2.0, 3.0], [8.0, 5.0, 7.0, 6.0]])
    assert this.of_best(0.5).fake_logits.tolist() == [[4.0, 3.0], [8.0, 7.0]]
    assert this.of_best(0.01).fake_logits.tolist() == [[4.0], [8.0]]
