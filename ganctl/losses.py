"""Adversarial losses: what the players want, as functions of the discriminator's logits.

Logits are float32 of shape [batch]; every loss is the mean over the batch, a scalar to be minimised.
"""

from typing import ClassVar, Literal, Protocol

from torch import Tensor
from torch.nn.functional import relu, softplus

from ganctl.registry import Component, Family


class Logits(Protocol):
    """The discriminator's view of one batch; each side is computed when it is first asked for."""

    @property
    def real_logits(self) -> Tensor:
        """D(x) for the real samples, float32 [batch]."""

    @property
    def fake_logits(self) -> Tensor:
        """D(G(z)) for the generated samples, float32 [batch]."""


class Loss(Component):
    """An adversarial loss."""

    critic: ClassVar[bool] = False
    """Whether the discriminator is a Wasserstein critic: unbounded scores, and a Lipschitz term required."""

    def discriminator(self, logits: Logits) -> Tensor:
        """Return what the discriminator minimises."""
        raise NotImplementedError

    def generator(self, logits: Logits) -> Tensor:
        """Return what the generator minimises."""
        raise NotImplementedError


LOSSES: Family[Loss] = Family("loss")


@LOSSES.register
class NonSaturating(Loss):
    """−log σ(D(x)) − log(1 − σ(D(G(z)))) against −log σ(D(G(z))) (Goodfellow et al. 2014, section 3)."""

    name: Literal["nonsaturating"]

    def discriminator(self, logits: Logits) -> Tensor:
        """Return binary cross-entropy with real as 1 and fake as 0."""
        return softplus(-logits.real_logits).mean() + softplus(logits.fake_logits).mean()

    def generator(self, logits: Logits) -> Tensor:
        """Return binary cross-entropy with fake as 1."""
        return softplus(-logits.fake_logits).mean()


@LOSSES.register
class Hinge(Loss):
    """Hinge with margin 1 (Lim and Ye 2017; Miyato et al. 2018, equations 16 and 17)."""

    name: Literal["hinge"]

    def discriminator(self, logits: Logits) -> Tensor:
        """Return max(0, 1 − D(x)) + max(0, 1 + D(G(z)))."""
        return relu(1 - logits.real_logits).mean() + relu(1 + logits.fake_logits).mean()

    def generator(self, logits: Logits) -> Tensor:
        """Return −D(G(z))."""
        return -logits.fake_logits.mean()


@LOSSES.register
class Wasserstein(Loss):
    """The dual of the Wasserstein-1 distance (Arjovsky et al. 2017, equation 2)."""

    critic = True
    name: Literal["wgan"]

    def discriminator(self, logits: Logits) -> Tensor:
        """Return D(G(z)) − D(x): minus the critic's estimate of the distance."""
        return logits.fake_logits.mean() - logits.real_logits.mean()

    def generator(self, logits: Logits) -> Tensor:
        """Return −D(G(z))."""
        return -logits.fake_logits.mean()
