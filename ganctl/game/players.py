"""Who plays: a network, the terms of what it wants, and how it learns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ganctl.optim import PlayerName
from ganctl.schedules import Schedule

if TYPE_CHECKING:
    from ganctl.game.step import Round

SKIPPED = "skipped_updates"


@dataclass(frozen=True)
class Term:
    """A part of a player's objective: weight × value, computed every so many updates and weighted by as many.

    `schedule` moves the weight. (Lazy regularisation: Karras et al. 2020, appendix B.)
    """

    name: str
    compute: "Callable[[Round], Tensor]"
    schedule: Schedule
    weight: float = 1.0
    every: int = 1

    def due(self, turn: int) -> bool:
        """Return whether the term takes part in the player's update number `turn` (from 0)."""
        return turn % self.every == 0

    def weight_at(self, step: int) -> float:
        """Return the weight at a step (from 0), without what makes up for a lazy term's pauses."""
        return self.weight * self.schedule.factor(step)


@dataclass
class Player:
    """A network, what it wants, and how it learns.

    `schedule` moves the optimizer's learning rate, `constraints` change the weights after each update, and
    `turns` is the updates a step.
    """

    name: PlayerName
    network: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    terms: list[Term]
    constraints: list[Callable[[list[nn.Parameter]], None]]
    scaler: torch.amp.GradScaler
    turns: int
    values: dict[str, Tensor] = field(default_factory=dict)
    """The last value of each term, unweighted, the gradient's norm before clipping, and under fp16 the count of
    updates that were skipped because gradients overflowed; scalars on the device."""
    logits: dict[str, Tensor] = field(default_factory=dict)
    """What the last batch of the last update computed of "real" and "fake" logits, [judgements], off the graph."""
    samples: dict[str, Tensor] = field(default_factory=dict)
    """Of the discriminator: the first `KEPT` of those "real" and "fake" samples, off the graph."""

    def __post_init__(self) -> None:
        self.learning_rate = self._told = float(self.optimizer.param_groups[0]["lr"])
        for group in self.optimizer.param_groups:
            if group.get("capturable"):  # a captured step reads it where it lies on the device
                group["lr"] = torch.tensor(self.learning_rate, device=self.parameters[0].device)

    @cached_property
    def parameters(self) -> list[nn.Parameter]:
        """All weights of the network."""
        return list(self.network.parameters())

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step (from 0)."""
        return self.learning_rate * self.schedule.factor(step)

    def set_learning_rate(self, step: int) -> None:
        """Give the optimizer the learning rate of a step (from 0)."""
        rate = self.learning_rate_at(step)
        for group in self.optimizer.param_groups:
            if not isinstance(group["lr"], Tensor):
                group["lr"] = rate
            elif rate != self._told:
                group["lr"].fill_(rate)
        self._told = rate

    def trainable(self, yes: bool) -> None:
        """Let gradients flow into the weights, or freeze them so that none are computed in vain."""
        for parameter in self.parameters:
            parameter.requires_grad_(yes)
