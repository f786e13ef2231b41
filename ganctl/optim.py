"""Optimizers: settings for both players, of which each may have its own."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch.nn import Parameter

from ganctl.registry import Component, Family, Spec
from ganctl.runtime.eager import eager

LearningRate = Annotated[float, Field(gt=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[tuple[Beta, Beta], Field(strict=False)]
NonNegative = Annotated[float, Field(ge=0)]
PlayerName = Literal["generator", "discriminator"]


class Optimizer(Component):
    """How the players learn."""

    def build(self, player: PlayerName, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of one player; it steps all parameters as one group."""
        raise NotImplementedError

    def slots(self, player: PlayerName) -> int:
        """Return how many numbers the optimizer of one player keeps for each weight; 0 if unsaid."""
        return 0


OPTIMIZERS: Family[Optimizer] = Family("optimizer")


def on_cuda(weights: list[Parameter]) -> bool:
    """Return whether weights lie on a CUDA device."""
    return weights[0].is_cuda


class AdamSettings(Spec):
    """Adam's settings for one player."""

    lr: LearningRate
    betas: Betas
    eps: Annotated[float, Field(gt=0)]
    weight_decay: NonNegative


class AdamFamily(AdamSettings, Optimizer):
    """Adam for both players."""

    kind: ClassVar[type[torch.optim.Adam]]
    """Torch's class."""

    generator: AdamSettings
    discriminator: AdamSettings

    def build(self, player: PlayerName, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of one player, fused into one kernel, which on CUDA a graph may hold."""
        weights = list(parameters)
        settings = getattr(self, player).model_dump()
        fused = weights[0].device.type in ("cpu", "cuda")
        return eager(type(self).kind)(weights, **settings, fused=fused or None, capturable=on_cuda(weights))

    def slots(self, player: PlayerName) -> int:
        """Return 2: both moments."""
        return 2


@OPTIMIZERS.register
class Adam(AdamFamily):
    """Adam (Kingma and Ba 2015), with weight decay as an L2 penalty."""

    kind = torch.optim.Adam
    name: Literal["adam"]


@OPTIMIZERS.register
class AdamW(AdamFamily):
    """Adam with weight decay apart from the gradient (Loshchilov and Hutter 2019, algorithm 2)."""

    kind = torch.optim.AdamW
    name: Literal["adamw"]


class RmspropSettings(Spec):
    """RMSprop's settings for one player."""

    lr: LearningRate
    alpha: Beta
    eps: Annotated[float, Field(gt=0)]
    momentum: Beta
    weight_decay: NonNegative


@OPTIMIZERS.register
class Rmsprop(RmspropSettings, Optimizer):
    """RMSprop (Tieleman and Hinton 2012, lecture 6.5), the optimizer of Arjovsky et al. 2017."""

    name: Literal["rmsprop"]
    generator: RmspropSettings
    discriminator: RmspropSettings

    def build(self, player: PlayerName, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of one player, on CUDA in a form that a CUDA graph may hold."""
        weights = list(parameters)
        settings = getattr(self, player).model_dump()
        cuda = on_cuda(weights)
        return eager(torch.optim.RMSprop)(weights, **settings, foreach=cuda or None, capturable=cuda)

    def slots(self, player: PlayerName) -> int:
        """Return 1, and 1 more for momentum."""
        return 2 if getattr(self, player).momentum > 0 else 1


class SgdSettings(Spec):
    """Settings of stochastic gradient descent for one player."""

    lr: LearningRate
    momentum: Beta
    weight_decay: NonNegative


@OPTIMIZERS.register
class Sgd(SgdSettings, Optimizer):
    """Stochastic gradient descent with heavy-ball momentum (Polyak 1964)."""

    name: Literal["sgd"]
    generator: SgdSettings
    discriminator: SgdSettings

    def build(self, player: PlayerName, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of one player, unfused: fused, a skipped fp16 update leaves momentum unset."""
        return eager(torch.optim.SGD)(parameters, **getattr(self, player).model_dump())

    def slots(self, player: PlayerName) -> int:
        """Return 1 with momentum, else 0."""
        return 1 if getattr(self, player).momentum > 0 else 0
