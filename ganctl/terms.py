"""What penalties and auxiliary terms have in common: a weighted part of what a player minimises."""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from ganctl.game.round import Distribution, Round, Surroundings
from ganctl.registry import Component

Positive = Annotated[float, Field(gt=0)]


class LossTerm(Component):
    """A term added to a player's loss, every so many of its updates."""

    draws: ClassVar[Mapping[str, Distribution]] = {}
    """What the term draws, by name (`Round.uniform`, `Round.noise`)."""

    reads_real: ClassVar[bool] = False
    """Whether the term reads real samples, or their features or logits."""

    reads_latents: ClassVar[bool] = False
    """Whether the term reads the latents of the generated samples."""

    stateful: ClassVar[bool] = False
    """Whether what `build` returns has a state, which checkpoints hold (`ganctl.game.members.Stateful`)."""

    weight: Positive
    every: Annotated[int, Field(ge=1)]

    def build(self, surroundings: Surroundings) -> Callable[[Round], Tensor]:
        """Return the unweighted term of a batch; raise `ConfigError` where it has no meaning for the samples."""
        return self

    def __call__(self, round: Round) -> Tensor:
        """Return the unweighted term, a scalar."""
        raise NotImplementedError


def row_products(weights: list[Tensor]) -> Tensor:
    """Return Σ‖WWᵀ ⊙ (1 − I)‖² over weights of two or more dimensions, outputs first.

    Not in the step's bf16 or fp16: near a right angle, a product is a small difference of large numbers.
    """
    matrices = [weight.flatten(1) for weight in weights]
    with torch.autocast(matrices[0].device.type, enabled=False):
        products = [matrix @ matrix.T for matrix in matrices]
        return torch.stack([(each - each.diag().diag()).square().sum() for each in products]).sum()
