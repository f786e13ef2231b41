"""Optimizers: settings for both players, of which each may have its own."""

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import Parameter

from ganctl.errors import ConfigError
from ganctl.game.round import PlayerName
from ganctl.registry import Component, Family, Spec
from ganctl.runtime.eager import eager

LearningRate = Annotated[float, Field(gt=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[tuple[Beta, Beta], Field(strict=False)]
NonNegative = Annotated[float, Field(ge=0)]
SIZES = (2, 3, 5, 7, 11, 13, 17)
"""Sides of the weights that an optimizer is tried on: all different, so that a slot's tell which they are."""


class Optimizer(Component):
    """How the players learn."""

    never_negative: ClassVar[frozenset[str]] = frozenset({"step", "exp_avg_sq", "max_exp_avg_sq", "square_avg"})
    """Which of the slots, by torch's names, count or hold squares."""

    def build(self, player: PlayerName, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of one player; it steps all parameters as one group."""
        raise NotImplementedError

    def kept(self, player: PlayerName, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what one player's optimizer keeps once it has stepped, as `<slot>.<weight>`, on device "meta".

        One step on small weights finds it out. Raises `ConfigError` for an optimizer that cannot make one, and for
        state that is no tensor, which no checkpoint can hold.
        """
        tried = {}
        for name, weight in weights.items():
            tried[name] = Parameter(torch.ones(SIZES[: weight.dim()], dtype=weight.dtype))
            tried[name].grad = torch.ones_like(tried[name])
        try:
            optimizer = self.build(player, tried.values())
            optimizer.step()
        except (RuntimeError, TypeError, ValueError) as error:
            raise ConfigError(f"optimizer: {self.name} cannot step ({error})") from error
        slots = {}
        for name, small in tried.items():
            sides = dict(zip(SIZES, weights[name].shape, strict=False))
            for slot, value in optimizer.state[small].items():
                if isinstance(value, Tensor):
                    shape = [sides.get(side, side) for side in value.shape]
                    slots[f"{slot}.{name}"] = torch.empty(shape, dtype=value.dtype, device="meta")
                elif value is not None:
                    raise ConfigError(
                        f"optimizer: {self.name} keeps {slot} as {type(value).__name__}; make it a tensor, so "
                        "that checkpoints can hold it"
                    )
        return slots


OPTIMIZERS: Family[Optimizer] = Family("optimizer")


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
        """Return the optimizer of one player, fused into one kernel."""
        weights = list(parameters)
        settings = getattr(self, player).model_dump()
        fused = weights[0].device.type in ("cpu", "cuda")
        return eager(type(self).kind)(weights, **settings, fused=fused or None)


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


class SgdSettings(Spec):
    """Settings of stochastic gradient descent for one player."""

    lr: LearningRate
    momentum: Beta
    weight_decay: NonNegative


class RmspropSettings(SgdSettings):
    """RMSprop's settings for one player."""

    alpha: Beta
    eps: Annotated[float, Field(gt=0)]


@OPTIMIZERS.register
class Rmsprop(RmspropSettings, Optimizer):
    """RMSprop (Tieleman and Hinton 2012, lecture 6.5), the optimizer of Arjovsky et al. 2017."""

    name: Literal["rmsprop"]
    generator: RmspropSettings
    discriminator: RmspropSettings

    def build(self, player: PlayerName, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of one player."""
        return eager(torch.optim.RMSprop)(parameters, **getattr(self, player).model_dump())


@OPTIMIZERS.register
class Sgd(SgdSettings, Optimizer):
    """Stochastic gradient descent with heavy-ball momentum (Polyak 1964)."""

    name: Literal["sgd"]
    generator: SgdSettings
    discriminator: SgdSettings

    def build(self, player: PlayerName, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of one player, unfused: fused, a skipped fp16 update leaves momentum unset."""
        return eager(torch.optim.SGD)(parameters, **getattr(self, player).model_dump())
