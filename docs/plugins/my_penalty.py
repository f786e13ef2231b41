"""A penalty: the largest slope of a batch instead of the mean one."""

from typing import Literal

from torch import Tensor

from ganctl.game.round import Round
from ganctl.penalties import PENALTIES, PenaltyTerm


@PENALTIES.register
class Steepest(PenaltyTerm):
    """max ‖∇D(x)‖² over the real samples of a batch."""

    differentiates = True
    smoothed_by = "weight"
    name: Literal["steepest"]

    def __call__(self, round: Round) -> Tensor:
        """Return the largest squared gradient norm, a scalar."""
        return round.real_gradient.square().sum(1).max()
