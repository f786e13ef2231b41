"""A loss: least squares with the labels −1, 1 and 0."""

from typing import Literal

from torch import Tensor

from ganctl.game.round import Round
from ganctl.losses import LOSSES, Loss


@LOSSES.register
class Pearson(Loss):
    """(1/2)(D(x) − 1)² + (1/2)(D(G(z)) + 1)² against (1/2)D(G(z))² (Mao et al. 2017, equation 8)."""

    name: Literal["pearson"]

    def discriminator(self, round: Round) -> Tensor:
        """Return the squared distances from 1 for real and −1 for fake."""
        return ((round.real_logits - 1).square().mean() + (round.fake_logits + 1).square().mean()) / 2

    def generator(self, round: Round) -> Tensor:
        """Return the squared distance from 0 for fake."""
        return round.fake_logits.square().mean() / 2
