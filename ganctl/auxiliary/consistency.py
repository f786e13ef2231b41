"""Consistency: what changes an image a little is not to change what the discriminator says of it."""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import mse_loss, pad

from ganctl.augment.flip_shift import flip_and_shift
from ganctl.auxiliary.auxiliary import AUXILIARIES, Auxiliary
from ganctl.game.round import SIDES, Distribution, Round, Side, Surroundings
from ganctl.terms import Positive

Factor = Annotated[float, Field(ge=0)]
CHANGES = ("flip", "rows", "columns")


def _draws(sides: tuple[Side, ...]) -> Mapping[str, Distribution]:
    return {f"{side}_{change}": "uniform" for side in sides for change in CHANGES}


@AUXILIARIES.register
class Cr(Auxiliary):
    """E‖D(x) − D(T(x))‖² for real images, T a flip and a shift by up to an eighth (Zhang et al. 2020).

    A discriminator that tells classes is to tell the same ones, too.
    """

    players = ("discriminator",)
    reads_real = True
    draws: ClassVar[Mapping[str, Distribution]] = _draws(("real",))
    name: Literal["cr"]

    def build(self, surroundings: Surroundings) -> Callable[[Round], Tensor]:
        """Return the term of a batch."""
        surroundings.space.require_images(f"auxiliary: {self.name} moves images", "take zcr, or leave it out")
        return self

    def __call__(self, round: Round) -> Tensor:
        """Return the mean squared difference of logits, and of the classes' logits."""
        return changed_by_moving(round, "real")


@AUXILIARIES.register
class Bcr(Cr):
    """`cr` of real images and of generated ones (Zhao et al. 2021, algorithm 1), these multiplied by `fakes`."""

    draws: ClassVar[Mapping[str, Distribution]] = _draws(SIDES)
    name: Literal["bcr"]  # type: ignore[assignment]
    fakes: Factor

    def __call__(self, round: Round) -> Tensor:
        """Return the sum over both sides."""
        return changed_by_moving(round, "real") + self.fakes * changed_by_moving(round, "fake")


def changed_by_moving(round: Round, side: Side) -> Tensor:
    """Return by how much the discriminator's logits of a side change when its images are flipped and shifted."""
    images: Tensor = getattr(round, side)
    numbers = torch.stack([round.uniform(f"{side}_{change}") for change in CHANGES], 1)
    moved = flip_and_shift(images, numbers.repeat_interleave(len(images) // len(numbers), 0))
    return _distance(round.told(side), round.told(side, moved))


def _distance(first: list[Tensor], second: list[Tensor]) -> Tensor:
    return torch.stack([mse_loss(*pair) for pair in zip(first, second, strict=True)]).sum()


@AUXILIARIES.register
class Zcr(Auxiliary):
    """E‖D(G(z)) − D(G(z + ε))‖² of the discriminator, and −E‖G(z) − G(z + ε)‖² of the generator times `generator`.

    ε is normal with the standard deviation `noise`: near latents give different images, of which the discriminator
    says the same (Zhao et al. 2021, algorithm 2). Codes stay as they are.
    """

    players = ("generator", "discriminator")
    reads_latents = True
    draws: ClassVar[Mapping[str, Distribution]] = {"nearby": "latents"}
    name: Literal["zcr"]
    noise: Positive
    generator: Factor

    def build(self, surroundings: Surroundings) -> Callable[[Round], Tensor]:
        """Return the player's term of a batch."""
        codes = surroundings.latents.width - surroundings.latents.dimensions
        dimensions = surroundings.latents.dimensions

        def nearby(round: Round) -> Tensor:
            moves = round.noise("nearby")[:, :dimensions] * self.noise
            return round.generated(round.latents + pad(moves, (0, codes)))

        def discriminator(round: Round) -> Tensor:
            with torch.no_grad():
                moved = nearby(round)
            return _distance(round.told("fake"), round.told("fake", moved))

        def generator(round: Round) -> Tensor:
            return -self.generator * mse_loss(round.fake, nearby(round))

        return generator if surroundings.player == "generator" else discriminator
