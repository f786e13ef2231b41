"""Penalties on the discriminator: terms of its loss, most on the gradient of its logits, and constraints."""

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import Parameter

from ganctl.game.round import Distribution, Round
from ganctl.processes.ranks import Ranks
from ganctl.registry import Component, Family
from ganctl.terms import LossTerm, Positive, row_products


class Penalty(Component):
    """Something that keeps the discriminator in bounds."""

    differentiates: ClassVar[bool] = False
    """Whether the penalty is a function of ∇D, so that the discriminator is differentiated twice."""

    lipschitz: ClassVar[bool] = False
    """Whether the penalty bounds the discriminator's slope, as a Wasserstein critic needs."""

    single_samples: ClassVar[bool] = False
    """Whether the penalty aims at a certain slope at single samples, which batch norm mixes."""

    smoothed_by: ClassVar[str | None] = None
    """The parameter that makes the discriminator smoother the larger it is."""

    loosened_by: ClassVar[str | None] = None
    """The parameter of a bound that leaves the generator more of a gradient the larger it is."""


class PenaltyTerm(Penalty, LossTerm):
    """A term added to the discriminator's loss."""

    reads_real = True


class Constraint(Penalty):
    """A set that the discriminator's weights are brought back to after each of its updates."""

    def constrain(self, parameters: Iterable[Parameter]) -> None:
        """Change the weights in place, without a gradient."""
        raise NotImplementedError


PENALTIES: Family[Penalty] = Family("penalty")


def _distance_from(target: float, gradient: Tensor) -> Tensor:
    norm: Tensor = gradient.norm(dim=1)
    return (norm - target).square().mean()


@PENALTIES.register
class R1(PenaltyTerm):
    """(1/2)·E‖∇D(x)‖² on real samples (Mescheder et al. 2018, equation 9)."""

    differentiates = True
    smoothed_by = "weight"
    name: Literal["r1"]

    def __call__(self, round: Round) -> Tensor:
        """Return half the mean squared gradient norm at the real samples."""
        return round.real_gradient.square().sum(1).mean() / 2


@PENALTIES.register
class R2(PenaltyTerm):
    """(1/2)·E‖∇D(G(z))‖² on generated samples (Mescheder et al. 2018, equation 10)."""

    differentiates = True
    smoothed_by = "weight"
    name: Literal["r2"]

    def __call__(self, round: Round) -> Tensor:
        """Return half the mean squared gradient norm at the generated samples."""
        return round.fake_gradient.square().sum(1).mean() / 2


@PENALTIES.register
class GradientPenalty(PenaltyTerm):
    """E(‖∇D(x̂)‖ − target)² at random points between real and fake (Gulrajani et al. 2017, equation 3)."""

    differentiates = True
    lipschitz = True
    single_samples = True
    smoothed_by = "weight"
    draws: ClassVar[Mapping[str, Distribution]] = {"interpolation": "uniform"}
    name: Literal["gradient_penalty"]
    target: Annotated[float, Field(ge=0)]

    def __call__(self, round: Round) -> Tensor:
        """Return the mean squared distance of the gradient norm from the target."""
        share = round.uniform("interpolation")  # one number for all samples of a pack
        share = share.repeat_interleave(len(round.real) // len(share))
        between = round.real.lerp(round.fake, share.view(-1, *(1 for _ in round.real.shape[1:])))
        return _distance_from(self.target, round.gradient_at(between))


@PENALTIES.register
class Dragan(PenaltyTerm):
    """E(‖∇D(x + δ)‖ − target)² around real samples, δ normal (Kodali et al. 2017, section 2.3).

    δ has `noise` times the standard deviation of the batch's values.
    """

    differentiates = True
    single_samples = True
    smoothed_by = "weight"
    draws: ClassVar[Mapping[str, Distribution]] = {"perturbation": "normal"}
    name: Literal["dragan"]
    target: Annotated[float, Field(ge=0)]
    noise: Positive

    def __call__(self, round: Round) -> Tensor:
        """Return the mean squared distance of the gradient norm from the target."""
        spread = self.noise * Ranks.here().deviation(round.real)
        around = round.real + spread * round.noise("perturbation")
        return _distance_from(self.target, round.gradient_at(around))


@PENALTIES.register
class Orthogonal(PenaltyTerm):
    """Σ‖WWᵀ ⊙ (1 − I)‖² over weights: rows at right angles, of any length (Brock et al. 2019, equation 3)."""

    name: Literal["orthogonal"]

    def __call__(self, round: Round) -> Tensor:
        """Return the sum over layers of the squared products of different rows, one row an output."""
        return row_products(round.weights)


@PENALTIES.register
class WeightClipping(Constraint):
    """Weights in [−limit, limit]: the first way to a Lipschitz critic (Arjovsky et al. 2017, algorithm 1)."""

    lipschitz = True
    loosened_by = "limit"
    name: Literal["weight_clipping"]
    limit: Positive

    @torch.no_grad()
    def constrain(self, parameters: Iterable[Parameter]) -> None:
        """Move each weight outside the interval to its nearer end."""
        weights: list[Tensor] = list(parameters)
        torch._foreach_clamp_min_(weights, -self.limit)
        torch._foreach_clamp_max_(weights, self.limit)
