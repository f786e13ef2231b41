"""An auxiliary term of the generator: samples as spread out as real ones."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor

from ganctl.auxiliary import AUXILIARIES, Auxiliary
from ganctl.game.round import Round, Surroundings


@AUXILIARIES.register
class Spread(Auxiliary):
    """(σ(x) − σ(G(z)))², with the standard deviation over all values of a batch."""

    reads_real = True
    name: Literal["spread"]

    def build(self, surroundings: Surroundings) -> Callable[[Round], Tensor]:
        """Return the squared difference as a function of a batch."""
        return lambda round: (round.real.std() - round.fake.std()).square()
