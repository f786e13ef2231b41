"""Penalties on the discriminator, most of them on the gradient of its logits by its input."""

from typing import Annotated, ClassVar, Literal, Protocol

from pydantic import Field
from torch import Tensor

from ganctl.registry import Component, Family


class Judgement(Protocol):
    """One batch as a penalty needs it. Gradients are float32, shaped like the samples, and differentiable."""

    @property
    def real(self) -> Tensor:
        """Real samples, [batch, …]."""

    @property
    def fake(self) -> Tensor:
        """Generated samples, cut off from the generator, [batch, …]."""

    @property
    def real_gradient(self) -> Tensor:
        """∇D at the real samples."""

    @property
    def fake_gradient(self) -> Tensor:
        """∇D at the generated samples."""

    def gradient_at(self, samples: Tensor) -> Tensor:
        """Return ∇D at samples of the caller's choice, by a forward of its own."""

    def uniform(self, purpose: str) -> Tensor:
        """Return one number in [0, 1) a sample, shaped to multiply samples; the purpose keys the draw."""


class Penalty(Component):
    """A term added to the discriminator's loss."""

    lipschitz: ClassVar[bool] = False
    """Whether the penalty bounds the discriminator's slope, as a Wasserstein critic needs."""

    weight: Annotated[float, Field(gt=0)]
    every: Annotated[int, Field(ge=1)]

    def __call__(self, judgement: Judgement) -> Tensor:
        """Return the unweighted penalty, a scalar."""
        raise NotImplementedError


PENALTIES: Family[Penalty] = Family("penalty")


@PENALTIES.register
class R1(Penalty):
    """(1/2)·E‖∇D(x)‖² on real samples (Mescheder et al. 2018, equation 9)."""

    name: Literal["r1"]

    def __call__(self, judgement: Judgement) -> Tensor:
        """Return half the mean squared gradient norm at the real samples."""
        return judgement.real_gradient.square().flatten(1).sum(1).mean() / 2


@PENALTIES.register
class GradientPenalty(Penalty):
    """E(‖∇D(x̂)‖ − target)² at random points between real and fake (Gulrajani et al. 2017, equation 3)."""

    lipschitz = True
    name: Literal["gradient_penalty"]
    target: Annotated[float, Field(ge=0)]

    def __call__(self, judgement: Judgement) -> Tensor:
        """Return the mean squared distance of the gradient norm from the target."""
        between = judgement.real.lerp(judgement.fake, judgement.uniform("interpolation"))
        norm: Tensor = judgement.gradient_at(between).flatten(1).norm(dim=1)
        return (norm - self.target).square().mean()
