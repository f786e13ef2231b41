"""An optimizer: torch's NAdam, with one learning rate for both players."""

from collections.abc import Iterable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch.nn import Parameter

from ganctl.optim import OPTIMIZERS, Optimizer, PlayerName


@OPTIMIZERS.register
class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat 2016). An optimizer's state must be tensors, as torch's is."""

    name: Literal["nadam"]
    lr: Annotated[float, Field(gt=0)]

    def build(self, player: PlayerName, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of one player."""
        return torch.optim.NAdam(parameters, lr=self.lr)
