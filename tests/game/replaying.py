"""What the tests of recorded steps share, on tapes and on a card: plain play, and a comparison of both."""

import torch

from ganctl.checkpoints import state
from ganctl.game.cuda_graphs import Replay
from ganctl.game.players import Update
from ganctl.game.scalars import measure
from ganctl.game.step import Game, Plan, play, train_step


def play_plainly(game: Game, replay: Replay) -> None:
    """Let a game be played one operation at a time, with optimizers as `replay`, made for it, prepared them."""

    def plainly(game: Game, plans: list[Plan]) -> list[Update]:
        replay.hold_rates()
        return play(game, plans)

    game.replay = plainly


def differing(one: Game, other: Game) -> list[str]:
    """Return what of the state differs in any bit."""
    ours, theirs = state.tensors(one), state.tensors(other)
    assert ours.keys() == theirs.keys()
    return [name for name in ours if not torch.equal(ours[name], theirs[name])]


def assert_steps_alike(plain: Game, game: Game, steps: range) -> None:
    """Play both, and compare every bit of the state and of what is logged after each step."""
    for step in steps:
        train_step(plain, step)
        train_step(game, step)
        assert differing(plain, game) == [], step
        assert measure(plain, step) == measure(game, step)
