"""Path length regularisation: equal steps in the styles change images by equal amounts (Karras et al. 2020)."""

import math
from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from ganctl.auxiliary.auxiliary import AUXILIARIES, Auxiliary
from ganctl.game.round import Distribution, Round, Surroundings
from ganctl.processes.ranks import Ranks


@AUXILIARIES.register
class PathLength(Auxiliary):
    """E(‖∇⟨G, y⟩‖ − a)² at the styles, y normal, a the running mean of the norm (Karras et al. 2020, equation 4).

    A step of a fixed size in the styles is to change an image by a fixed amount. `decay` is the share of a new
    norm in the mean; the norms are those of one sample in `shrink`.
    """

    draws: ClassVar[Mapping[str, Distribution]] = {"path": "normal"}
    reads_latents = True
    stateful = True
    name: Literal["path_length"]
    decay: Annotated[float, Field(gt=0, le=1)]
    shrink: Annotated[int, Field(ge=1)]

    def build(self, surroundings: Surroundings) -> Callable[[Round], Tensor]:
        """Return the mean squared distance of the norms from their mean."""
        surroundings.space.require_images("auxiliary: path_length measures images", "leave it out")
        return PathLengths(self.decay, self.shrink, surroundings)


class PathLengths:
    """The term `path_length`, and the running mean that it keeps."""

    def __init__(self, decay: float, shrink: int, surroundings: Surroundings) -> None:
        self.decay, self.shrink, self.ranks = decay, shrink, Ranks.here()
        self.mean = torch.zeros((), dtype=surroundings.dtype, device=surroundings.device)

    def __call__(self, round: Round) -> Tensor:
        """Return the term of a batch, and follow the mean of all ranks."""
        noise = round.noise("path")
        noise = noise[: max(1, len(noise) // self.shrink)]
        gradient = round.style_gradient(noise / math.sqrt(noise[0, 0].numel()))
        lengths = gradient.square().sum(2).mean(1).sqrt()
        mean = self.mean.lerp(lengths.mean(), self.decay)
        self.mean.copy_(mean.detach())
        self.ranks.average([self.mean])
        return (lengths - mean).square().mean()

    def state(self) -> dict[str, Tensor]:
        """Return the mean."""
        return {"mean": self.mean}

    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Take over the mean."""
        self.mean.copy_(saved["mean"])
