"""An auxiliary term of the generator: samples as spread out as real ones."""

from typing import Literal

from torch import Tensor

from ganctl.auxiliary import AUXILIARIES, Auxiliary
from ganctl.game.round import Round


@AUXILIARIES.register
class Spread(Auxiliary):
    """(σ(x) − σ(G(z)))², with the standard deviation over all values of a batch."""

    reads_real = True
    name: Literal["spread"]

    def __call__(self, round: Round) -> Tensor:
        """Return the squared difference, a scalar."""
        return (round.real.std() - round.fake.std()).square()
