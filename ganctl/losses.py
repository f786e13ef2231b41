"""Adversarial losses: what the players want, as functions of the discriminator's logits.

Logits are float32 of shape [judgements]: one a sample, or one a pack of `train.pack` samples. Every loss is the
mean over them, a scalar to be minimised.
"""

from typing import Annotated, ClassVar, Literal, Protocol

from pydantic import Field
from torch import Tensor
from torch.nn.functional import relu, softplus

from ganctl.registry import Component, Family

Share = Annotated[float, Field(ge=0, lt=0.5)]


class Logits(Protocol):
    """The discriminator's view of one batch; each side is computed when it is first asked for."""

    @property
    def real_logits(self) -> Tensor:
        """D(x) for the real samples, float32 [judgements]."""

    @property
    def fake_logits(self) -> Tensor:
        """D(G(z)) for the generated samples, float32 [judgements]."""

    def uniform(self, purpose: str) -> Tensor:
        """Return one number in [0, 1) a judgement, float32 [judgements]; the purpose keys the draw."""


class Loss(Component):
    """An adversarial loss."""

    critic: ClassVar[bool] = False
    """Whether the discriminator is a Wasserstein critic: unbounded scores, and a Lipschitz term required."""

    boundary: ClassVar[float | None] = 0.0
    """The logit that parts real from fake; None where only differences between logits have a meaning."""

    saturates: ClassVar[bool] = False
    """Whether the generator learns nothing from samples that the discriminator is sure are fake."""

    softened_by: ClassVar[str | None] = None
    """The parameter that makes the discriminator less sure, 0 where it is off."""

    def discriminator(self, logits: Logits) -> Tensor:
        """Return what the discriminator minimises."""
        raise NotImplementedError

    def generator(self, logits: Logits) -> Tensor:
        """Return what the generator minimises."""
        raise NotImplementedError


LOSSES: Family[Loss] = Family("loss")


class LabelledLoss(Loss):
    """A loss whose discriminator is taught labels, which may be smoothed and noisy.

    Real samples are labelled 1 − `label_smoothing` (one-sided: Salimans et al. 2016, section 3.4), generated
    ones 0; a share `label_noise` of either gets the other's label. The generator aims at 1.
    """

    softened_by = "label_smoothing"
    label_smoothing: Share
    label_noise: Share

    def distance(self, logits: Tensor, labels: Tensor | float) -> Tensor:
        """Return how far each logit is from its label, [judgements]."""
        raise NotImplementedError

    def discriminator(self, logits: Logits) -> Tensor:
        """Return the mean distances of real logits from their labels and of fake ones from theirs."""
        real = self._labels(logits, "real", 1 - self.label_smoothing, 0.0)
        fake = self._labels(logits, "fake", 0.0, 1 - self.label_smoothing)
        return self.distance(logits.real_logits, real).mean() + self.distance(logits.fake_logits, fake).mean()

    def generator(self, logits: Logits) -> Tensor:
        """Return the mean distance of fake logits from the label 1."""
        return self.distance(logits.fake_logits, 1.0).mean()

    def _labels(self, logits: Logits, side: str, own: float, other: float) -> Tensor | float:
        if self.label_noise == 0:
            return own
        drawn = logits.uniform(f"label_noise_{side}")
        return own + (other - own) * (drawn < self.label_noise).to(drawn.dtype)


class CrossEntropy(LabelledLoss):
    """A loss whose discriminator minimises binary cross-entropy: −log σ(D(x)) − log(1 − σ(D(G(z))))."""

    def distance(self, logits: Tensor, labels: Tensor | float) -> Tensor:
        """Return binary cross-entropy; of a plain 0 or 1, only the half that is not zero is computed."""
        if isinstance(labels, float) and labels in (0.0, 1.0):
            return softplus(-logits if labels else logits)
        return labels * softplus(-logits) + (1 - labels) * softplus(logits)


@LOSSES.register
class NonSaturating(CrossEntropy):
    """Cross-entropy against −log σ(D(G(z))) (Goodfellow et al. 2014, section 3)."""

    name: Literal["nonsaturating"]


@LOSSES.register
class Minimax(CrossEntropy):
    """The zero-sum game: the generator minimises log(1 − σ(D(G(z)))) (Goodfellow et al. 2014, equation 1)."""

    saturates = True
    name: Literal["minimax"]

    def generator(self, logits: Logits) -> Tensor:
        """Return log(1 − σ(D(G(z)))), which has no lower bound."""
        return -softplus(logits.fake_logits).mean()


@LOSSES.register
class LeastSquares(LabelledLoss):
    """(1/2)(D(x) − 1)² + (1/2)D(G(z))² against (1/2)(D(G(z)) − 1)² (Mao et al. 2017, equation 9)."""

    boundary = 0.5
    name: Literal["lsgan"]

    def distance(self, logits: Tensor, labels: Tensor | float) -> Tensor:
        """Return half the squared difference."""
        return (logits - labels).square() / 2


@LOSSES.register
class Relativistic(Loss):
    """−log σ(D(x) − D(G(z))) against −log σ(D(G(z)) − D(x)) for pairs of real and generated samples.

    (Jolicoeur-Martineau 2018, equations 7 and 8; the loss of R3GAN: Huang et al. 2024, equation 2.)
    """

    boundary = None
    name: Literal["relativistic"]

    def discriminator(self, logits: Logits) -> Tensor:
        """Return the logistic loss of real being judged above the fake it is paired with."""
        return softplus(logits.fake_logits - logits.real_logits).mean()

    def generator(self, logits: Logits) -> Tensor:
        """Return the logistic loss of fake being judged above the real it is paired with."""
        return softplus(logits.real_logits - logits.fake_logits).mean()


@LOSSES.register
class RelativisticAverage(Loss):
    """Cross-entropy on D(x) − E D(G(z)) and D(G(z)) − E D(x) (Jolicoeur-Martineau 2018, section 4.3)."""

    boundary = None
    name: Literal["relativistic_average"]

    def discriminator(self, logits: Logits) -> Tensor:
        """Return the logistic losses of real above the mean fake and fake below the mean real."""
        return self._apart(logits.real_logits, logits.fake_logits)

    def generator(self, logits: Logits) -> Tensor:
        """Return the logistic losses of fake above the mean real and real below the mean fake."""
        return self._apart(logits.fake_logits, logits.real_logits)

    @staticmethod
    def _apart(high: Tensor, low: Tensor) -> Tensor:
        return softplus(low.mean() - high).mean() + softplus(low - high.mean()).mean()


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
    boundary = None
    name: Literal["wgan"]

    def discriminator(self, logits: Logits) -> Tensor:
        """Return D(G(z)) − D(x): minus the critic's estimate of the distance."""
        return logits.fake_logits.mean() - logits.real_logits.mean()

    def generator(self, logits: Logits) -> Tensor:
        """Return −D(G(z))."""
        return -logits.fake_logits.mean()
