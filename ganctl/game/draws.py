"""What an update needs that depends on its number: a pure function of seed, player, update, part and rank."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganctl.data.batches import Batches
from ganctl.game.augmenter import Augmenter
from ganctl.game.round import SIDES, Distribution, Feed, PlayerName
from ganctl.models.latents import LatentSpace
from ganctl.processes.ranks import Ranks
from ganctl.runtime.device import Device
from ganctl.runtime.randomness import drawn, generator, mix

DRAW: dict[Distribution, Callable[..., Tensor]] = {
    "uniform": torch.rand,
    "normal": torch.randn,
    "latents": torch.randn,
}


@dataclass
class Draws:
    """Makes the feed of each update.

    An update learns from `accumulate` batches. Its random numbers are drawn for all of them at once and sliced, so
    that accumulation sees the numbers of one large batch. Each rank is fed its part of a batch. `updates` are
    those of each player a step. A `conditional` model is fed labels, too, and an `augmenter` its numbers. With
    `share`, the generator's first update in a step has the latents of the discriminator's last one.
    """

    batches: Batches
    device: Device
    seed: int
    space: LatentSpace
    conditional: bool
    pack: int
    accumulate: int
    updates: Mapping[PlayerName, int]
    share: bool
    ranks: Ranks
    augmenter: Augmenter = field(default_factory=Augmenter)

    @property
    def batch_size(self) -> int:
        """Samples in one forward of all ranks."""
        return self.batches.batch_size

    @property
    def images_per_step(self) -> int:
        """Real samples a step trains the discriminator on; the generator's updates add none."""
        return self.batch_size * self.accumulate * self.updates["discriminator"]

    @property
    def batches_per_step(self) -> int:
        """Forwards and backwards of either network that a step is made of."""
        return self.accumulate * sum(self.updates.values())

    def salt(self, rollbacks: int) -> None:
        """Draw other numbers than before the last of so many rollbacks; call it once, before anything is drawn."""
        if rollbacks:
            self.seed = self.batches.seed = mix(self.seed, "rollback", rollbacks)

    def latents(self, count: int, *key: int | str) -> Tensor:
        """Return latents [count, width], keyed by the seed and `key`."""
        source = generator(self.device.torch_device, self.seed, "latents", *key)
        return self.space.draw((count,), source, self.device.dtype)

    def labels(self, count: int, *key: int | str) -> Tensor:
        """Return labels int64 [count], as frequent as those that are served, keyed by the seed and `key`."""
        where = self.device.torch_device, torch.float32
        return self.batches.drawn_labels(drawn(torch.rand, (count,), *where, self.seed, "labels", *key))

    def feeds(self, player: PlayerName, number: int, reads: Mapping[str, Distribution | None]) -> Iterator[Feed]:
        """Yield the feed of this rank's part of each batch of a player's update `number` (from 0).

        It holds the latents, unless the update shares the samples of the one before, labels, the numbers of
        augmentations, and `reads`: "real", "latents", and the names of draws with their distributions.
        """
        count, samples = self.batch_size * self.accumulate, self.batches.store.space.shape
        given = self.accumulate == 1 and self._repeats_latents(player, number) and "latents" not in reads
        whole = {} if given else {"latents": self.latents_of(player, number)}
        if self.conditional:
            whole["fake_labels"] = self.labels(count, *self._key(player, number))
        shapes: dict[Distribution, tuple[int, ...]] = {
            "uniform": (count // self.pack,),
            "normal": (count, *samples),
            "latents": (count, self.space.width),
        }
        for name, distribution in reads.items():
            if distribution is not None:
                whole[name] = self._drawn(distribution, shapes[distribution], name, player, number)
        for side in SIDES if "real" in reads else SIDES[1:]:
            for name, (distribution, size) in self.augmenter.draws(side, samples).items():
                whole[name] = self._drawn(distribution, (count, *size), name, player, number)
        for part in range(self.accumulate):
            feed = {name: self._part(values, part) for name, values in whole.items()}
            if "real" in reads:
                batch = number * self.accumulate + part
                feed["real"] = self.batches.samples(player, batch)
                if self.conditional:
                    feed["real_labels"] = self.batches.labels(player, batch)
            yield feed

    def latents_of(self, player: PlayerName, number: int) -> Tensor:
        """Return the latents of a player's update `number` (from 0), [batch · accumulate, width]."""
        return self.latents(self.batch_size * self.accumulate, *self._key(player, number))

    def _key(self, player: PlayerName, number: int) -> tuple[PlayerName, int]:
        """Return by which update's player and number (from 0) an update's latents are drawn."""
        if self._repeats_latents(player, number):
            step = number // self.updates["generator"]
            return "discriminator", (step + 1) * self.updates["discriminator"] - 1
        return player, number

    def shares_samples(self, player: PlayerName, number: int) -> bool:
        """Return whether the samples of an update are those of the next one too, the generator's.

        They are if it has the same latents and one batch is all of them: the generator does not change between.
        """
        last = player == "discriminator" and (number + 1) % self.updates["discriminator"] == 0
        return self.share and self.accumulate == 1 and last

    def _repeats_latents(self, player: PlayerName, number: int) -> bool:
        """Return whether an update has the latents of the one before: the generator's first in a step."""
        return self.share and player == "generator" and number % self.updates["generator"] == 0

    def _drawn(
        self, distribution: Distribution, shape: tuple[int, ...], name: str, player: PlayerName, number: int
    ) -> Tensor:
        where = self.device.torch_device, self.device.dtype
        return drawn(DRAW[distribution], shape, *where, self.seed, name, player, number)

    def _part(self, values: Tensor, part: int) -> Tensor:
        size = len(values) // (self.accumulate * self.ranks.world)
        first = (part * self.ranks.world + self.ranks.rank) * size
        return values[first : first + size]
