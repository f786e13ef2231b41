"""LeCam regularisation: the discriminator stays near what it has said so far (Tseng et al. 2021)."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import relu

from ganctl.auxiliary.auxiliary import AUXILIARIES, Auxiliary
from ganctl.game.round import SIDES, Round, Side, Surroundings
from ganctl.processes.ranks import Ranks


@AUXILIARIES.register
class Lecam(Auxiliary):
    """E max(0, D(x) − a)² + E max(0, b − D(G(z)))², a and b running means of D(G(z)) and D(x) (equation 5).

    D is held where it has been; a step that brings the two nearer costs nothing. During the first `start` times,
    the term is 0 and the means are the last values.
    """

    players = ("discriminator",)
    reads_real = True
    stateful = True
    name: Literal["lecam"]
    decay: Annotated[float, Field(ge=0, lt=1)]
    start: Annotated[int, Field(ge=1)]

    def build(self, surroundings: Surroundings) -> Callable[[Round], Tensor]:
        """Return the term, which follows the means."""
        return Anchors(self.decay, self.start, surroundings)


class Anchors:
    """The term `lecam`, the running means of the logits that it keeps, and how many times it was computed."""

    def __init__(self, decay: float, start: int, surroundings: Surroundings) -> None:
        self._decay, self._start, self._ranks = decay, start, Ranks.here()
        self._times, *means = torch.zeros(3, dtype=surroundings.dtype, device=surroundings.device).unbind()
        self._means: dict[Side, Tensor] = dict(zip(SIDES, means, strict=True))

    def __call__(self, round: Round) -> Tensor:
        """Follow the means and return the term of a batch, real and fake summed."""
        logits = {"real": round.real_logits, "fake": round.fake_logits}
        self.follow({side: logits[side].detach().mean() for side in SIDES})
        above = relu(logits["real"] - self._means["fake"]).square().mean()
        below = relu(self._means["real"] - logits["fake"]).square().mean()
        return torch.where(self._times > self._start, above + below, 0)

    def follow(self, values: Mapping[Side, Tensor]) -> None:
        """Take the mean logits of a batch by side, of all ranks, into the running means."""
        decay = self._decay * (self._times >= self._start).to(self._times.dtype)
        self._ranks.average(values.values())
        for side, value in values.items():
            self._means[side].copy_(torch.lerp(value, self._means[side], decay))
        self._times += 1

    def state(self) -> dict[str, Tensor]:
        """Return the means by side, and the times."""
        return {"real": self._means["real"], "fake": self._means["fake"], "times": self._times}

    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Take over the tensors that `state` returned."""
        for name, tensor in self.state().items():
            tensor.copy_(saved[name])
