"""One training step: every gradient of the project is computed here, and nothing else is done.

All random numbers of a step are keyed by its number, so a step is a pure function of the state before it. What
updates need of that number they ask `Game.inputs` for; all else is the same whenever the same terms are due.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from ganctl.data.batches import Batches
from ganctl.errors import DivergenceError
from ganctl.game.divergence import Watch
from ganctl.game.inputs import Inputs
from ganctl.game.players import SKIPPED, Player
from ganctl.models import Discriminator
from ganctl.models.convolutions import gradients_at_samples_alone
from ganctl.models.ema import Ema
from ganctl.optim import PlayerName
from ganctl.runtime.device import Device
from ganctl.runtime.randomness import drawn, mix, normal, seed_networks
from ganctl.schedules import Schedule

SMALLEST_SCALE = 2.0**-20
"""Where fp16's loss scale ends up when every update overflows and is skipped."""
SIDES: tuple[Literal["real", "fake"], ...] = ("real", "fake")
KEPT = 64
"""Samples of a batch that are kept for a look at how varied they are."""


@dataclass
class Game:
    """Both players, where their samples come from, and the rules of a step."""

    generator: Player
    discriminator: Player
    ema: Ema | None
    ema_schedule: Schedule
    batches: Batches
    device: Device
    watch: Watch
    seed: int
    latent: int
    pack: int = 1
    boundary: float | None = 0.0
    first: PlayerName = "discriminator"
    share_fakes: bool = False
    accumulate: int = 1
    clip_norm: float | None = None
    clip_value: float | None = None
    inputs: Inputs = field(default_factory=Inputs)
    captured: "Callable[[Game, int], None] | None" = None
    """What plays a step's updates in the place of `play`, and does the same."""
    between: Callable[[], None] = lambda: None
    """Called before each batch of an update; it may raise, which leaves the step half done."""

    @property
    def players(self) -> "tuple[Player, Player]":
        """Both players, in the order of their turns."""
        order = (self.discriminator, self.generator)
        return order if self.first == "discriminator" else order[::-1]

    @property
    def batch_size(self) -> int:
        """Samples in one forward."""
        return self.batches.batch_size

    @property
    def batches_per_step(self) -> int:
        """Forwards and backwards of either network that a step is made of."""
        return self.accumulate * (self.discriminator.turns + self.generator.turns)

    @property
    def images_per_step(self) -> int:
        """Real samples a step trains the discriminator on; the generator's updates are counted no extra."""
        return self.batch_size * self.accumulate * self.discriminator.turns

    def check(self) -> None:
        """Read the device for trouble; not for use in the step.

        Raises `DivergenceError` if a number was not finite, or if fp16 skips every update of a network.
        """
        self.watch.check()
        for player in (self.generator, self.discriminator):
            if player.scaler.is_enabled() and not player.scaler.get_scale() > SMALLEST_SCALE:
                raise DivergenceError(
                    f"training diverged: the {player.name}'s gradients overflow fp16 at any scale"
                )

    def salt(self, rollbacks: int) -> None:
        """Let a game that has drawn nothing yet draw otherwise than before the last of so many rollbacks."""
        if rollbacks:
            self.seed = self.batches.seed = mix(self.seed, "rollback", rollbacks)

    def latents(self, count: int, *key: int | str) -> Tensor:
        """Return standard normal latents [count, latent], keyed by the seed and `key`."""
        shape = (count, self.latent)
        return normal(shape, self.device.torch_device, self.device.dtype, self.seed, "latents", *key)

    def generate(self, latents: Tensor) -> Tensor:
        """Return the generator's samples of latents, [batch, *shape], in the type of real ones."""
        samples: Tensor = self.generator.network(latents)
        return samples.to(self.device.dtype)

    @property
    def _fakes_are_shared(self) -> bool:
        return self.share_fakes and self.first == "discriminator"

    def draw(self, player: PlayerName, turn: int) -> Tensor:
        """Return the latents of a player's update `turn` (from 0), [batch · accumulate, latent].

        Where fakes are shared, those of the generator's first update in a step are those of the discriminator's
        last; that the generator has not moved in between makes the samples the same, too.
        """
        if player == "generator" and self._fakes_are_shared:
            step, later = divmod(turn, self.generator.turns)
            if not later:
                player, turn = "discriminator", (step + 1) * self.discriminator.turns - 1
        return self.latents(self.batch_size * self.accumulate, player, turn)

    def real(self, player: PlayerName, turn: int, part: int) -> Tensor:
        """Return the real samples of batch `part` of a player's update `turn` (from 0), [batch, *shape]."""
        return self.batches.samples(player, turn * self.accumulate + part)

    def uniform(self, player: PlayerName, turn: int, purpose: str) -> Tensor:
        """Return one number in [0, 1) for each judgement of all batches of an update, keyed by the purpose."""
        return self._drawn(torch.rand, (purpose, player, turn), self.batch_size * self.accumulate // self.pack)

    def noise(self, player: PlayerName, turn: int, purpose: str, *shape: int) -> Tensor:
        """Return standard normal numbers for all batches of an update, [batch · accumulate, *shape]."""
        return self._drawn(torch.randn, (purpose, player, turn), self.batch_size * self.accumulate, *shape)

    def _drawn(self, draw: Callable[..., Tensor], key: tuple[int | str, ...], *shape: int) -> Tensor:
        return drawn(draw, shape, self.device.torch_device, self.device.dtype, self.seed, *key)

    def generated_for_both(self, turn: int) -> Tensor | None:
        """Return the samples of the discriminator's update `turn` with their graph, or None.

        They are there if the generator's next update learns from the same, and if one batch is all of them.
        """
        last = (turn + 1) % self.discriminator.turns == 0
        if not (self._fakes_are_shared and self.accumulate == 1 and last):
            return None
        self.generator.trainable(True)
        with self.device.autocast():
            return self.generate(self.inputs.drawn(self.draw, "discriminator", turn))


class Round:
    """One batch as both players see it; whatever a term does not ask for is never computed.

    It is batch `part` of the `accumulate` that make up a player's update number `turn`. Random numbers are
    drawn for all of them and sliced, so that accumulation sees the numbers of one large batch; a term that means
    something over a batch, such as its mean features, means it over each part.

    A judgement is what one logit says: of one sample, or of a pack of them. Logits, features and gradients are
    float32 (float64 in fp64). On the discriminator's turn the generator is frozen, so `fake` carries no graph;
    on the generator's turn it does, and the discriminator is frozen. `generated`, where given, are the samples of
    these latents, with the generator's graph.
    """

    def __init__(
        self, game: Game, player: PlayerName, turn: int, part: int, generated: Tensor | None = None
    ) -> None:
        self._game = game
        self._generated = generated
        self._key = (player, turn)
        self._part = part
        self._seen: dict[str, Tensor] = {}

    @cached_property
    def latents(self) -> Tensor:
        """Standard normal, [batch, latent]."""
        return self._sliced(self._game.inputs.drawn(self._game.draw, *self._key))

    @cached_property
    def real(self) -> Tensor:
        """Real samples, [batch, *shape]."""
        return self._game.inputs.drawn(self._game.real, *self._key, self._part)

    @cached_property
    def fake(self) -> Tensor:
        """Generated samples, [batch, *shape], in the type of real ones."""
        samples = self._generated if self._generated is not None else self._game.generate(self.latents)
        return samples.detach() if self._key[0] == "discriminator" else samples

    @cached_property
    def real_logits(self) -> Tensor:
        """D(x), [judgements]."""
        return self._logits("real")

    @cached_property
    def fake_logits(self) -> Tensor:
        """D(G(z)), [judgements]."""
        return self._logits("fake")

    @property
    def real_features(self) -> Tensor:
        """What the discriminator's last layer reads of the real samples, [judgements, values]."""
        return self._features("real").flatten(1).to(self._game.device.dtype)

    @property
    def fake_features(self) -> Tensor:
        """What the discriminator's last layer reads of the generated samples, [judgements, values]."""
        return self._features("fake").flatten(1).to(self._game.device.dtype)

    @property
    def logits(self) -> dict[str, Tensor]:
        """The logits that were asked for, by side, cut off the graph."""
        return {side: self.__dict__[key].detach() for side in SIDES if (key := f"{side}_logits") in self.__dict__}

    @property
    def samples(self) -> dict[str, Tensor]:
        """The first `KEPT` of the samples that were asked for, by side, cut off the graph."""
        return {side: self.__dict__[side][:KEPT].detach() for side in SIDES if side in self.__dict__}

    @cached_property
    def real_gradient(self) -> Tensor:
        """∇D at the real samples, [judgements, values], differentiable."""
        return self._gradient("real")

    @cached_property
    def fake_gradient(self) -> Tensor:
        """∇D at the generated samples, [judgements, values], differentiable."""
        return self._gradient("fake")

    @property
    def weights(self) -> list[Tensor]:
        """The discriminator's weights of two or more dimensions, outputs first, as they are trained."""
        return [weight for weight in self._game.discriminator.parameters if weight.dim() > 1]

    def gradient_at(self, samples: Tensor) -> Tensor:
        """Return ∇D at any samples by a forward of its own, [judgements, values], differentiable."""
        samples = samples.detach().requires_grad_()
        fp16 = self._game.device.precision == "fp16"
        with self._game.device.full_precision() if fp16 else nullcontext():
            logits: Tensor = self._game.discriminator.network(samples)
        return self._differentiate(logits.to(self._game.device.dtype), samples)

    def uniform(self, purpose: str) -> Tensor:
        """Return one number in [0, 1) a judgement, [judgements], keyed by the purpose."""
        return self._sliced(self._game.inputs.drawn(self._game.uniform, *self._key, purpose))

    def noise(self, purpose: str) -> Tensor:
        """Return standard normal numbers in the shape of the samples, keyed by the purpose."""
        shape = self.real.shape[1:]
        return self._sliced(self._game.inputs.drawn(self._game.noise, *self._key, purpose, *shape))

    def _sliced(self, drawn: Tensor) -> Tensor:
        """Return this batch's part of what was drawn for all of the update's batches."""
        size = len(drawn) // self._game.accumulate
        return drawn[self._part * size : (self._part + 1) * size]

    @property
    def _judge(self) -> Discriminator:
        judge = self._game.discriminator.network
        assert isinstance(judge, Discriminator)
        return judge

    def _features(self, side: Literal["real", "fake"]) -> Tensor:
        if side not in self._seen:
            self._seen[side] = self._judge.features(getattr(self, side))
        return self._seen[side]

    def _logits(self, side: Literal["real", "fake"]) -> Tensor:
        return self._judge.logits(self._features(side)).to(self._game.device.dtype)

    def _gradient(self, side: Literal["real", "fake"]) -> Tensor:
        samples: Tensor = getattr(self, side)
        if self._game.device.precision == "fp16" or side in self._seen:
            return self.gradient_at(samples)
        samples.requires_grad_()
        return self._differentiate(getattr(self, f"{side}_logits"), samples)

    def _differentiate(self, logits: Tensor, samples: Tensor) -> Tensor:
        with gradients_at_samples_alone(), self._game.device.full_precision():  # the casts are in the graph
            (gradient,) = torch.autograd.grad(logits.sum(), samples, create_graph=True)
        return gradient.reshape(len(logits), -1)


def train_step(game: Game, step: int) -> None:
    """Play one step: `turns` updates of each player, the game's `first` beginning, then the EMA's.

    `step` counts from 0. Latents, real batches and what the terms draw are keyed by the update; noise
    inside the networks, such as dropout, by the step.
    """
    seed_networks(game.device.torch_device, game.seed, "networks", step)
    for player in game.players:
        player.set_learning_rate(step)
    (game.captured or play)(game, step)
    if game.ema is not None:
        images = game.images_per_step
        stretch = game.ema_schedule.factor(step)
        game.ema.update(game.generator.network, images * (step + 1), images, stretch)


def turns_of(game: Game, step: int) -> Iterator[tuple[Player, Player, int]]:
    """Yield who learns, who stands still, and the number of the update (from 0), in the order of a step."""
    for player in game.players:
        opponent = game.generator if player is game.discriminator else game.discriminator
        for turn in range(step * player.turns, (step + 1) * player.turns):
            yield player, opponent, turn


def play(game: Game, step: int) -> None:
    """Make all updates of a step (from 0).

    Where fakes are shared, the generator first learns from the samples that the discriminator's last turn has
    judged, and a step has a forward of the generator less.
    """
    generated: Tensor | None = None
    for player, opponent, turn in turns_of(game, step):
        if player is game.discriminator:
            generated = game.generated_for_both(turn)
        update(game, player, opponent, turn, step, generated)
        if player is game.generator:
            generated = None


def update(
    game: Game, player: Player, opponent: Player, turn: int, step: int, generated: Tensor | None = None
) -> None:
    """Update one player once: the gradient of its due terms, averaged over `accumulate` batches, clipped.

    `generated`, where given, are the batch's generated samples, with the generator's graph.
    """
    player.trainable(True)
    opponent.trainable(False)
    player.optimizer.zero_grad()
    due = [term for term in player.terms if term.due(turn)]
    totals: dict[str, Tensor] = {}
    for part in range(game.accumulate):
        game.between()
        this_round = Round(game, player.name, turn, part, generated)
        with game.device.autocast():
            values = {term.name: term.compute(this_round) for term in due}
        objective = torch.stack([game.inputs.weighted(values[term.name], term, step) for term in due]).sum()
        player.scaler.scale(objective / game.accumulate).backward(inputs=player.parameters)
        for name, value in values.items():
            share = value.detach() / game.accumulate
            totals[name] = totals[name] + share if part else share
    norm = _apply(game, player)
    player.values.update(totals, gradient_norm=norm)
    if player.scaler.is_enabled():
        skipped = player.values.get(SKIPPED, torch.zeros_like(norm))
        player.values[SKIPPED] = skipped + norm.isfinite().logical_not()
    player.logits = this_round.logits
    if player is game.discriminator:
        player.samples = this_round.samples
    game.watch.look(game.inputs.number(step), player.name, player.values)


def _apply(game: Game, player: Player) -> Tensor:
    player.scaler.unscale_(player.optimizer)
    gradients = [parameter.grad for parameter in player.parameters if parameter.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if game.clip_norm is not None:
        nn.utils.clip_grads_with_norm_(player.parameters, game.clip_norm, norm)
    if game.clip_value is not None:
        nn.utils.clip_grad_value_(player.parameters, game.clip_value)
    player.scaler.step(player.optimizer)
    player.scaler.update()
    for constrain in player.constraints:
        constrain(player.parameters)
    return norm
