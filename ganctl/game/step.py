"""One training step: every gradient of both players, and nothing else."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ganctl.game.divergence import Divergence
from ganctl.game.draws import Draws
from ganctl.game.members import Member, members
from ganctl.game.players import Player, Term, Update
from ganctl.game.round import Feed, Networks, PlayerName, Round
from ganctl.models.ema import Ema
from ganctl.runtime.device import Device
from ganctl.runtime.randomness import seed_networks
from ganctl.schedules import Schedule

SHOWN = 64
"""Samples of a batch that are kept to see how varied they are."""


@dataclass(frozen=True)
class Plan:
    """An update to be made: who learns, against whom, from which terms with which weights, and from what.

    With `shares`, the generator learns from the same samples next.
    """

    player: Player
    opponent: Player
    due: list[Term]
    weights: list[float | Tensor]
    feeds: Iterable[Feed]
    shares: bool


@dataclass
class Game:
    """Both players and what they are fed.

    `first` begins each step. `replay`, where given, makes a step's updates in the place of `play`. `between` is
    called before each batch; it may raise, which leaves the step half done.
    """

    generator: Player
    discriminator: Player
    ema: Ema | None
    ema_schedule: Schedule
    draws: Draws
    device: Device
    divergence: Divergence
    first: PlayerName = "discriminator"
    replay: "Callable[[Game, list[Plan]], list[Update]] | None" = None
    between: Callable[[], None] = lambda: None

    @cached_property
    def networks(self) -> Networks:
        """Both networks, as a batch is sent through them."""
        judge = self.discriminator
        return Networks(self.generator.network, judge.network, self.device, judge.augmenter)

    @property
    def members(self) -> dict[str, Member]:
        """All that a checkpoint holds, by the first part of its tensors' names."""
        average = self.ema.average if self.ema is not None else None
        return members((self.generator, self.discriminator), average)

    def plans(self, step: int) -> Iterator[Plan]:
        """Yield the updates of a step (from 0) in their order."""
        pairs = [(self.discriminator, self.generator), (self.generator, self.discriminator)]
        for player, opponent in pairs if self.first == "discriminator" else pairs[::-1]:
            for number in range(step * player.updates, (step + 1) * player.updates):
                due = [term for term in player.terms if term.due(number)]
                yield Plan(
                    player,
                    opponent,
                    due,
                    [term.weight_at(step) * term.every for term in due],
                    self.draws.feeds(player.name, number, {k: v for term in due for k, v in term.reads.items()}),
                    self.draws.shares_samples(player.name, number),
                )

    def check(self) -> None:
        """Read the device for trouble; not for use in the step.

        Raises `DivergenceError` if a number was not finite, or if fp16 skips every update of a network.
        """
        self.divergence.check()
        self.generator.check()
        self.discriminator.check()

    def share_values(self) -> None:
        """Replace the last values of all terms by their means over ranks: a checkpoint holds those of all."""
        for player in (self.generator, self.discriminator):
            self.draws.ranks.average(player.values.values())


def train_step(game: Game, step: int) -> None:
    """Play one step (from 0): each player's updates in turn, then the average of the generator's weights.

    The feeds are keyed by the update, noise inside the networks, such as dropout, by the step; so a step is a pure
    function of the state before it.
    """
    rank = game.draws.ranks.rank
    seed_networks(game.device.torch_device, game.draws.seed, "networks", step, *([rank] if rank else []))
    game.generator.set_learning_rate(step)
    game.discriminator.set_learning_rate(step)
    plans = list(game.plans(step))
    for plan, update in zip(plans, (game.replay or play)(game, plans), strict=True):
        plan.player.note(update)
        game.divergence.look(step, plan.player.name, plan.player.values)
    if game.ema is not None:
        images = game.draws.images_per_step
        game.ema.update(images * (step + 1), images, game.ema_schedule.factor(step))


def play(game: Game, plans: Iterable[Plan]) -> list[Update]:
    """Make the updates of a step."""
    updates, generated = [], None
    for plan in plans:
        update, generated = learn(game, plan, generated)
        updates.append(update)
    return updates


def learn(game: Game, plan: Plan, generated: Tensor | None = None) -> tuple[Update, Tensor | None]:
    """Make one update: the gradient of the due terms, averaged over batches and ranks, clipped and applied.

    `generated`, where given, are the samples of the feed's latents with the generator's graph. Returns such
    samples, too, if the next update shares them.
    """
    player = plan.player
    player.trainable(True)
    plan.opponent.trainable(plan.shares)
    player.optimizer.zero_grad()
    totals: dict[str, Tensor] = {}
    for feed in plan.feeds:
        game.between()
        with game.device.autocast():
            fake = generated
            if plan.shares:
                generated = game.networks.generate(feed)
                fake = generated.detach()
            round = Round(game.networks, feed, fake)
            values = [term.compute(round) for term in plan.due]
        weighted = [(value * weight).to(value.dtype) for value, weight in zip(values, plan.weights, strict=True)]
        objective = torch.stack(weighted).sum()
        player.scaler.scale(objective / game.draws.accumulate).backward(inputs=player.parameters)
        for term, value in zip(plan.due, values, strict=True):
            share = value.detach() / game.draws.accumulate
            totals[term.name] = totals[term.name] + share if term.name in totals else share
    totals["gradient_norm"] = player.apply_gradients(game.draws.ranks)
    samples = round.samples(SHOWN) if player is game.discriminator else {}
    return Update(totals, round.logits, samples), generated if plan.shares else None
