"""Who plays: a network, the terms of what it minimises, and how it learns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from ganctl.errors import DivergenceError
from ganctl.game.augmenter import Augmenter
from ganctl.game.round import Distribution, PlayerName, Round
from ganctl.optim import Optimizer
from ganctl.processes.ranks import Ranks
from ganctl.schedules import Schedule

SKIPPED = "skipped_updates"
SMALLEST_SCALE = 2.0**-20
"""Where fp16's loss scale ends up when every update overflows and is skipped."""


@dataclass(frozen=True)
class Term:
    """A part of a player's objective: weight × value, computed every so many updates and weighted by as many.

    `schedule` moves the weight, `reads` is what the value needs besides latents and networks (`Draws.feeds`).
    (Lazy regularisation: Karras et al. 2020, appendix B.)
    """

    name: str
    compute: Callable[[Round], Tensor]
    schedule: Schedule
    weight: float = 1.0
    every: int = 1
    reads: Mapping[str, Distribution | None] = field(default_factory=dict)

    def due(self, number: int) -> bool:
        """Return whether the term takes part in the player's update `number` (from 0)."""
        return number % self.every == 0

    def weight_at(self, step: int) -> float:
        """Return the weight at a step (from 0), without what makes up for a lazy term's pauses."""
        return self.weight * self.schedule.factor(step)


@dataclass(frozen=True)
class Update:
    """What an update has computed, detached.

    `values` are those of its terms, unweighted, and `gradient_norm`, before clipping. `logits`, and `samples` of a
    discriminator's update, are those of its last batch, by side ("real", "fake").
    """

    values: dict[str, Tensor]
    logits: dict[str, Tensor]
    samples: dict[str, Tensor]


@dataclass
class Player:
    """A network, what it minimises, and how it learns.

    `schedule` moves the learning rate, `constraints` change the weights after each update, `updates` are those of
    a step. Gradients are clipped to `clip_norm`, their entries to `clip_value`. An `augmenter` changes what a
    discriminator sees. `learned` are the weights that it learns, by name: those that ask for gradients at first.
    """

    name: PlayerName
    network: nn.Module
    learning: Optimizer
    schedule: Schedule
    terms: list[Term]
    constraints: list[Callable[[list[nn.Parameter]], None]]
    scaler: torch.amp.GradScaler
    updates: int
    clip_norm: float | None = None
    clip_value: float | None = None
    augmenter: Augmenter = field(default_factory=Augmenter)
    last: Update = field(default_factory=lambda: Update({}, {}, {}))
    values: dict[str, Tensor] = field(default_factory=dict)
    """The last value of each term, the last gradient norm, and under fp16 how many updates were skipped because
    gradients overflowed; scalars on the device."""

    def __post_init__(self) -> None:
        self.learned = {name: weight for name, weight in self.network.named_parameters() if weight.requires_grad}
        self.optimizer = self.learning.build(self.name, self.parameters)
        self.learning_rate = float(self.optimizer.param_groups[0]["lr"])

    @cached_property
    def parameters(self) -> list[nn.Parameter]:
        """The weights that are learned: all of the network but frozen ones."""
        return list(self.learned.values())

    def learning_rate_at(self, step: int) -> float:
        """Return the learning rate of a step (from 0)."""
        return self.learning_rate * self.schedule.factor(step)

    def set_learning_rate(self, step: int) -> None:
        """Give the optimizer the learning rate of a step (from 0)."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate_at(step)

    def trainable(self, yes: bool) -> None:
        """Let gradients flow into the weights, or freeze them so that none are computed in vain."""
        for parameter in self.parameters:
            parameter.requires_grad_(yes)

    def apply_gradients(self, ranks: Ranks) -> Tensor:
        """Average the gradients over ranks, clip and apply them; return their norm before clipping."""
        gradients = [weight.grad for weight in self.parameters if weight.grad is not None]
        ranks.average(gradients)
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.get_total_norm(gradients)
        if self.clip_norm is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, self.clip_norm, norm)
        if self.clip_value is not None:
            nn.utils.clip_grad_value_(self.parameters, self.clip_value)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        for constrain in self.constraints:
            constrain(self.parameters)
        return norm

    def note(self, update: Update) -> None:
        """Remember what an update has computed, and adapt the augmentations to it."""
        self.last = update
        self.augmenter.observe(update.logits)
        self.values.update(update.values)
        if self.scaler.is_enabled():
            norm = update.values["gradient_norm"]
            self.values[SKIPPED] = self.values.get(SKIPPED, torch.zeros_like(norm)) + norm.isfinite().logical_not()

    def check(self) -> None:
        """Raise `DivergenceError` if fp16 skips every update; reads the device."""
        if self.scaler.is_enabled() and not self.scaler.get_scale() > SMALLEST_SCALE:
            raise DivergenceError(f"training diverged: the {self.name}'s gradients overflow fp16 at any scale")
