"""Optimizers: settings for both players, of which each may have its own."""

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import Parameter

from ganctl.errors import ConfigError
from ganctl.registry import Component, Family, Spec
from ganctl.runtime.eager import eager

LearningRate = Annotated[float, Field(gt=0)]
Beta = Annotated[float, Field(ge=0, lt=1)]
Betas = Annotated[tuple[Beta, Beta], Field(strict=False)]
NonNegative = Annotated[float, Field(ge=0)]
PlayerName = Literal["generator", "discriminator"]


SIZES = (2, 3, 5, 7, 11, 13, 17)
"""Sides of the weights that an optimizer is tried on: each another, so that it shows which of them a slot has."""


class Optimizer(Component):
    """How the players learn."""

    never_negative: ClassVar[frozenset[str]] = frozenset({"step", "exp_avg_sq", "max_exp_avg_sq", "square_avg"})
    """Which of the slots, by torch's names, count or hold squares."""

    def build(self, player: PlayerName, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of one player; it steps all parameters as one group."""
        raise NotImplementedError

    def kept(self, player: PlayerName, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what one player's optimizer keeps once it has stepped, as `<slot>.<weight>`, on device "meta".

        A step on a few numbers finds it out. Raises `ConfigError` for an optimizer that cannot make one, and for
        state that is no tensor, which no checkpoint can hold.
        """
        slots = {}
        tried: dict[tuple[int, torch.dtype], list[Slot]] = {}
        for name, weight in weights.items():
            kind = (weight.dim(), weight.dtype)
            if kind not in tried:
                tried[kind] = _tried(self, player, *kind)
            for slot, sides, dtype in tried[kind]:
                shape = [weight.shape[side] if isinstance(side, int) else int(side) for side in sides]
                slots[f"{slot}.{name}"] = torch.empty(shape, dtype=dtype, device="meta")
        return slots


Slot = tuple[str, list[int | str], torch.dtype]
"""Name, sides and type; a side is the number of the weight's side that it equals, or its length in digits."""


def _tried(optimizer: Optimizer, player: PlayerName, dimensions: int, dtype: torch.dtype) -> list[Slot]:
    """Return what an optimizer keeps of a weight after a step."""
    sizes = SIZES[:dimensions]
    weight = Parameter(torch.ones(sizes, dtype=dtype))
    weight.grad = torch.ones_like(weight)
    try:
        tried = optimizer.build(player, [weight])
        tried.step()
    except (RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f"optimizer: {optimizer.name} cannot step ({error})") from error
    slots: list[Slot] = []
    for slot, value in tried.state[weight].items():
        if value is None:
            continue
        if not isinstance(value, Tensor):
            raise ConfigError(
                f"optimizer: {optimizer.name} keeps {slot} as {type(value).__name__}; make it a tensor, so that "
                "checkpoints can hold it"
            )
        sides: list[int | str] = [sizes.index(side) if side in sizes else str(side) for side in value.shape]
        slots.append((slot, sides, value.dtype))
    return slots


OPTIMIZERS: Family[Optimizer] = Family("optimizer")


def on_cuda(weights: list[Parameter]) -> bool:
    """Return whether weights are on a CUDA device."""
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
