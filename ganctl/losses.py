"""Adversarial losses: what the players minimise, as functions of the discriminator's logits.

Logits are float32 of shape [logits]: one per sample, or per pack of `train.pack` samples. Every loss is the
mean over them, a scalar to be minimised.
"""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor
from torch.nn.functional import relu, softplus

from ganctl.game.round import Distribution, Round
from ganctl.processes.ranks import Ranks
from ganctl.registry import Component, Family

Share = Annotated[float, Field(ge=0, lt=0.5)]


class Loss(Component):
    """An adversarial loss."""

    critic: ClassVar[bool] = False
    """Whether the discriminator is a Wasserstein critic: unbounded scores, and a Lipschitz term required."""

    boundary: ClassVar[float | None] = 0.0
    """The logit that separates real from fake; None if only differences between logits have a meaning."""

    saturates: ClassVar[bool] = False
    """Whether the generator learns nothing from samples that the discriminator is sure are fake."""

    softened_by: ClassVar[str | None] = None
    """The parameter that makes the discriminator less sure, 0 where it is off."""

    reads_real: ClassVar[bool] = False
    """Whether the generator's loss reads real samples or their logits, too."""

    @property
    def draws(self) -> Mapping[str, Distribution]:
        """What the discriminator's loss draws, by name (`Round.uniform`, `Round.noise`)."""
        return {}

    def discriminator(self, round: Round) -> Tensor:
        """Return what the discriminator minimises."""
        raise NotImplementedError

    def generator(self, round: Round) -> Tensor:
        """Return what the generator minimises."""
        raise NotImplementedError


LOSSES: Family[Loss] = Family("loss")


class LabelledLoss(Loss):
    """A loss whose discriminator learns labels, which may be smoothed and noisy.

    Real samples are labelled 1 − `label_smoothing` (one-sided: Salimans et al. 2016, section 3.4), generated
    ones 0; a share `label_noise` of either gets the other's label. The generator aims at 1.
    """

    softened_by = "label_smoothing"
    label_smoothing: Share
    label_noise: Share

    @property
    def draws(self) -> Mapping[str, Distribution]:
        """One number per logit of each side, if labels are noisy."""
        return {f"label_noise_{side}": "uniform" for side in ("real", "fake") if self.label_noise > 0}

    def discriminator(self, round: Round) -> Tensor:
        """Return the mean distances of real logits from their labels and of fake ones from theirs."""
        real = self._labels(round, "real", 1 - self.label_smoothing, 0.0)
        fake = self._labels(round, "fake", 0.0, 1 - self.label_smoothing)
        return self.distance(round.real_logits, real).mean() + self.distance(round.fake_logits, fake).mean()

    def generator(self, round: Round) -> Tensor:
        """Return the mean distance of fake logits from the label 1."""
        return self.distance(round.fake_logits, 1.0).mean()

    def distance(self, logits: Tensor, labels: Tensor | float) -> Tensor:
        """Return how far each logit is from its label, [logits]: by default, their binary cross-entropy."""
        if isinstance(labels, float) and labels in (0.0, 1.0):  # of which one half is zero
            return softplus(-logits if labels else logits)
        return labels * softplus(-logits) + (1 - labels) * softplus(logits)

    def _labels(self, round: Round, side: str, own: float, other: float) -> Tensor | float:
        if self.label_noise == 0:
            return own
        drawn = round.uniform(f"label_noise_{side}")
        return own + (other - own) * (drawn < self.label_noise).to(drawn.dtype)


@LOSSES.register
class NonSaturating(LabelledLoss):
    """Cross-entropy against −log σ(D(G(z))) (Goodfellow et al. 2014, section 3)."""

    name: Literal["nonsaturating"]


@LOSSES.register
class Minimax(LabelledLoss):
    """The zero-sum game: the generator minimises log(1 − σ(D(G(z)))) (Goodfellow et al. 2014, equation 1)."""

    saturates = True
    name: Literal["minimax"]

    def generator(self, round: Round) -> Tensor:
        """Return log(1 − σ(D(G(z)))), which has no lower bound."""
        return -softplus(round.fake_logits).mean()


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
    reads_real = True
    name: Literal["relativistic"]

    def discriminator(self, round: Round) -> Tensor:
        """Return the logistic loss of real scoring above the fake it is paired with."""
        return softplus(round.fake_logits - round.real_logits).mean()

    def generator(self, round: Round) -> Tensor:
        """Return the logistic loss of fake scoring above the real it is paired with."""
        return softplus(round.real_logits - round.fake_logits).mean()


@LOSSES.register
class RelativisticAverage(Loss):
    """Cross-entropy on D(x) − E D(G(z)) and D(G(z)) − E D(x) (Jolicoeur-Martineau 2018, section 4.3)."""

    boundary = None
    reads_real = True
    name: Literal["relativistic_average"]

    def discriminator(self, round: Round) -> Tensor:
        """Return the logistic losses of real above the mean fake and fake below the mean real."""
        return self._apart(round.real_logits, round.fake_logits)

    def generator(self, round: Round) -> Tensor:
        """Return the logistic losses of fake above the mean real and real below the mean fake."""
        return self._apart(round.fake_logits, round.real_logits)

    @staticmethod
    def _apart(high: Tensor, low: Tensor) -> Tensor:
        over = Ranks.here().mean
        return softplus(over(low.mean()) - high).mean() + softplus(low - over(high.mean())).mean()


@LOSSES.register
class Hinge(Loss):
    """Hinge with margin 1 (Lim and Ye 2017; Miyato et al. 2018, equations 16 and 17)."""

    name: Literal["hinge"]

    def discriminator(self, round: Round) -> Tensor:
        """Return max(0, 1 − D(x)) + max(0, 1 + D(G(z)))."""
        return relu(1 - round.real_logits).mean() + relu(1 + round.fake_logits).mean()

    def generator(self, round: Round) -> Tensor:
        """Return −D(G(z))."""
        return -round.fake_logits.mean()


@LOSSES.register
class Wasserstein(Loss):
    """The dual of the Wasserstein-1 distance (Arjovsky et al. 2017, equation 2)."""

    critic = True
    boundary = None
    name: Literal["wgan"]

    def discriminator(self, round: Round) -> Tensor:
        """Return D(G(z)) − D(x): minus the critic's estimate of the distance."""
        return round.fake_logits.mean() - round.real_logits.mean()

    def generator(self, round: Round) -> Tensor:
        """Return −D(G(z))."""
        return -round.fake_logits.mean()
