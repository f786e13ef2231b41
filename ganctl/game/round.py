"""One batch as both players see it: all that a loss, a penalty or an auxiliary term may read."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor, nn

from ganctl.errors import ConfigError
from ganctl.models import Discriminator, StyledGenerator
from ganctl.models.latents import LatentSpace
from ganctl.models.parts.convolutions import gradients_at_samples_alone
from ganctl.models.parts.piecewise import intercepts
from ganctl.runtime.device import Device
from ganctl.samples import SampleSpace

PlayerName = Literal["generator", "discriminator"]
Side = Literal["real", "fake"]
SIDES: tuple[Side, ...] = ("real", "fake")
Distribution = Literal["uniform", "normal", "latents"]
"""One number in [0, 1) a logit, or standard normal ones in the shape of the samples or of the latents."""

Feed = Mapping[str, Tensor]
"""What a batch depends on besides the weights, by name: `latents`, `real`, labels, and what is drawn for it."""

Augmentation = Callable[[Tensor, Side, Feed], Tensor]
"""From the samples of a side to what the discriminator sees of them."""


def unchanged(samples: Tensor, side: Side, feed: Feed) -> Tensor:
    """Return the samples as they are."""
    return samples


@dataclass(frozen=True)
class Networks:
    """Both networks as a batch is sent through them, on the device and in the precision of the step."""

    generator: nn.Module
    discriminator: nn.Module
    device: Device
    augment: Augmentation = unchanged

    def generate(self, feed: Feed) -> Tensor:
        """Return the generator's samples [batch, *shape] of a feed's latents, in the type of real ones."""
        samples: Tensor = self.generator(feed["latents"], *_given(feed.get("fake_labels")))
        return samples.to(self.device.dtype)

    def styled(self, feed: Feed, count: int) -> tuple[Tensor, Tensor]:
        """Return the samples and the styles of a feed's first `count` latents; of a generator that has styles."""
        assert isinstance(self.generator, StyledGenerator)
        given = (feed["latents"], *_given(feed.get("fake_labels")))
        styles = self.generator.styles(*(values[:count] for values in given))
        return self.generator.synthesise(styles).to(self.device.dtype), styles

    def features(self, samples: Tensor, side: Side, feed: Feed) -> Tensor:
        """Return what the discriminator's last layer reads of a side's samples, augmented, [logits, …]."""
        return self.judged(self.augment(samples, side, feed))

    def judged(self, shown: Tensor) -> Tensor:
        """Return the features of samples that are augmented already."""
        assert isinstance(self.discriminator, Discriminator)
        return self.discriminator.features(shown)

    def logits(self, features: Tensor, labels: Tensor | None) -> Tensor:
        """Return the discriminator's logits of features, [logits] or [kinds, …, logits]."""
        assert isinstance(self.discriminator, Discriminator)
        return self.discriminator.logits(features, *_given(labels)).to(self.device.dtype)

    def class_logits(self, features: Tensor) -> Tensor:
        """Return the discriminator's logits of classes, [logits, classes]."""
        assert isinstance(self.discriminator, Discriminator)
        return self.discriminator.class_logits(features).to(self.device.dtype)

    def code_logits(self, features: Tensor) -> Tensor:
        """Return what the discriminator tells of the latents' codes, [logits, values]."""
        assert isinstance(self.discriminator, Discriminator)
        return self.discriminator.code_logits(features).to(self.device.dtype)

    @property
    def affine_in_pieces(self) -> bool:
        """Whether the discriminator's logits follow from its gradient (`ganctl.models.parts.piecewise`)."""
        return isinstance(self.discriminator, Discriminator) and self.discriminator.affine_in_pieces

    @property
    def tells_classes(self) -> bool:
        """Whether the discriminator has a head that tells classes."""
        heads = getattr(self.discriminator, "heads", None)
        return heads is not None and heads.classifier is not None

    def reconstructed(self, features: Tensor, shown: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return the images that the discriminator makes of the features of samples, and what they should be."""
        assert isinstance(self.discriminator, Discriminator)
        made, wanted = self.discriminator.reconstructed(features, shown, numbers)
        return made.to(self.device.dtype), wanted


def _matrices(network: nn.Module) -> list[Tensor]:
    embeddings = (module for module in network.modules() if isinstance(module, nn.Embedding))
    left_out = {id(weight) for module in embeddings for weight in module.parameters()}
    return [weight for weight in network.parameters() if weight.dim() > 1 and id(weight) not in left_out]


def _given(labels: Tensor | None) -> tuple[Tensor, ...]:
    return () if labels is None else (labels,)


@dataclass(frozen=True)
class Surroundings:
    """What a term is built for: whose it is, what samples and latents are, device, type, and the run's seed."""

    player: PlayerName
    space: SampleSpace
    latents: LatentSpace
    device: torch.device
    dtype: torch.dtype
    seed: int


class Round:
    """One batch as both players see it; whatever no term asks for is never computed.

    A discriminator gives one logit a sample, or one a pack of `train.pack` samples, or several kinds of them, such
    as one a patch: then [kinds, …, logits], of which losses take the mean. Logits, features and gradients
    are float32 (float64 in fp64). On the discriminator's update `fake` is detached; on the generator's it carries
    the generator's graph, and the discriminator is frozen. `fake`, where given, are the samples of the feed's
    latents.
    """

    def __init__(self, networks: Networks, feed: Feed, fake: Tensor | None = None) -> None:
        self._networks = networks
        self._feed = feed
        self._seen: dict[str, Tensor] = {}
        self._shown: dict[str, Tensor] = {}
        if fake is not None:
            self.fake = fake

    @property
    def real(self) -> Tensor:
        """Real samples, [batch, *shape]."""
        return self._declared("real", "reads_real = True")

    @cached_property
    def fake(self) -> Tensor:
        """Generated samples, [batch, *shape]."""
        return self._networks.generate(self._feed)

    @cached_property
    def real_logits(self) -> Tensor:
        """D(x), [logits]."""
        return self._networks.logits(self._features("real"), self._feed.get("real_labels"))

    @cached_property
    def fake_logits(self) -> Tensor:
        """D(G(z)), [logits]."""
        return self._networks.logits(self._features("fake"), self._feed.get("fake_labels"))

    def of_best(self, share: float) -> "Round":
        """Return this round with the highest fake logits alone: a share of them, of each kind, at least one."""
        best, logits = copy(self), self.fake_logits
        best.fake_logits = logits.topk(max(1, round(share * logits.shape[-1]))).values
        return best

    @property
    def real_features(self) -> Tensor:
        """What the discriminator's last layer reads of the real samples, [logits, values]."""
        return self._features("real").flatten(1).to(self._networks.device.dtype)

    @property
    def fake_features(self) -> Tensor:
        """What the discriminator's last layer reads of the generated samples, [logits, values]."""
        return self._features("fake").flatten(1).to(self._networks.device.dtype)

    @cached_property
    def real_gradient(self) -> Tensor:
        """∇D at the real samples, [logits, values], differentiable."""
        return self._gradient("real")

    @cached_property
    def fake_gradient(self) -> Tensor:
        """∇D at the generated samples, [logits, values], differentiable."""
        return self._gradient("fake")

    def labels(self, side: Side) -> Tensor:
        """Return the labels of a side's samples, int64 [batch]; of a conditional model."""
        return self._declared(f"{side}_labels", "model.conditional = true to its condition")

    def class_logits(self, side: Side) -> Tensor:
        """Return the logits of the classes of a side's samples, [logits, classes]."""
        return self._networks.class_logits(self._features(side))

    def told(self, side: Side, samples: Tensor | None = None) -> list[Tensor]:
        """Return the logits of a side, and those of the classes where the discriminator tells them.

        Of other `samples`, augmented as the side's are and of its labels, by a forward of their own.
        """
        features, networks = self._features(side), self._networks
        logits = [getattr(self, f"{side}_logits")]
        if samples is not None:
            features = networks.features(samples, side, self._feed)
            logits = [networks.logits(features, self._feed.get(f"{side}_labels"))]
        return logits + ([networks.class_logits(features)] if networks.tells_classes else [])

    def generated(self, latents: Tensor) -> Tensor:
        """Return the generator's samples of other latents, of the same labels."""
        return self._networks.generate({**self._feed, "latents": latents})

    @property
    def latents(self) -> Tensor:
        """The latents of the generated samples, [batch, latents.width]."""
        return self._declared("latents", "reads_latents = True")

    def code_logits(self) -> Tensor:
        """Return what the discriminator tells of the generated samples' codes, as `Heads` orders it."""
        return self._networks.code_logits(self._features("fake"))

    def shown(self, side: Side) -> Tensor:
        """Return the samples of a side as the discriminator sees them, augmented, [batch, *shape]."""
        if side not in self._shown:
            self._shown[side] = self._networks.augment(getattr(self, side), side, self._feed)
        return self._shown[side]

    def reconstructed(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return images made of real samples' features, and what they should be: [kinds, logits, …] both.

        `numbers` in [0, 1), [logits], say where parts of an image lie that are made alone.
        """
        return self._networks.reconstructed(self._features("real"), self.shown("real").detach(), numbers)

    def mixed(self, inside: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pixels' logits of a mix of real and generated samples, and the mix of those of both.

        `inside`, bool [logits, height, width], says which pixels are generated ones. [logits, height, width] both;
        conditional ones are of the real samples' labels.
        """
        real, fake, labels = self.shown("real"), self.shown("fake"), self._feed.get("real_labels")
        each = inside.repeat_interleave(len(real) // len(inside), 0)[:, None]
        mix = torch.where(each, fake, real).contiguous(memory_format=torch.channels_last)
        features = (self._networks.judged(mix), self._features("fake"), self._features("real"))
        found, made, seen = (self._networks.logits(of, labels)[1].t().reshape(inside.shape) for of in features)
        return found, torch.where(inside, made, seen)

    @property
    def generator_weights(self) -> list[Tensor]:
        """The generator's weights of two or more dimensions, as `weights` are the discriminator's."""
        return _matrices(self._networks.generator)

    @property
    def weights(self) -> list[Tensor]:
        """The discriminator's weights of two or more dimensions, outputs first, as trained; no embeddings."""
        return _matrices(self._networks.discriminator)

    def gradient_at(self, samples: Tensor) -> Tensor:
        """Return ∇D at any samples by a forward of its own, [logits, values], differentiable."""
        device, samples = self._networks.device, samples.detach().requires_grad_()
        with device.full_precision() if device.precision == "fp16" else nullcontext():
            features = self._networks.features(samples, "real", self._feed)
            logits = self._networks.logits(features, self._feed.get("real_labels"))
        return self._differentiate(logits, samples)[0]

    def style_gradient(self, direction: Tensor) -> Tensor:
        """Return ∇⟨G, direction⟩ at the styles of as many latents, [count, styles, width], differentiable.

        `direction` is [count, *shape]. The samples are those of a forward of its own.
        """
        device = self._networks.device
        with device.full_precision() if device.precision == "fp16" else nullcontext():
            samples, styles = self._networks.styled(self._feed, len(direction))
        with device.full_precision():
            (gradient,) = torch.autograd.grad((samples * direction).sum(), styles, create_graph=True)
        return gradient

    def uniform(self, purpose: str) -> Tensor:
        """Return one number in [0, 1) a logit, [logits], of a draw that the term declares by this name."""
        return self._declared(purpose, f'draws = {{"{purpose}": "uniform"}}')

    def noise(self, purpose: str) -> Tensor:
        """Return standard normal numbers of a draw that the term declares, in the shape of samples or latents."""
        return self._declared(purpose, f'draws = {{"{purpose}": "normal"}}')

    @property
    def logits(self) -> dict[str, Tensor]:
        """The logits that were asked for, by side, detached."""
        asked = [side for side in SIDES if f"{side}_logits" in self.__dict__]
        return {side: self.__dict__[f"{side}_logits"].detach() for side in asked}

    def samples(self, count: int) -> dict[str, Tensor]:
        """Return the first `count` samples of which features were computed, by side, detached."""
        return {side: getattr(self, side)[:count].detach() for side in SIDES if side in self._seen}

    def _declared(self, name: str, declaration: str) -> Tensor:
        if name not in self._feed:
            raise ConfigError(f"a term reads '{name}' and does not declare it; add {declaration} to its class")
        return self._feed[name]

    def _features(self, side: Side) -> Tensor:
        if side not in self._seen:
            self._seen[side] = self._networks.judged(self.shown(side))
        return self._seen[side]

    def _gradient(self, side: Side) -> Tensor:
        samples: Tensor = getattr(self, side)
        if self._networks.device.precision == "fp16" or side in self._seen:
            return self.gradient_at(samples)
        samples.requires_grad_()
        if not self._networks.affine_in_pieces:
            return self._differentiate(getattr(self, f"{side}_logits"), samples)[0]
        with intercepts() as found:
            logits, shown = getattr(self, f"{side}_logits"), self.shown(side)
            gradient, slope = self._differentiate(logits, samples, shown)
        told = sum(found, (slope * shown.detach().reshape(slope.shape)).sum(1))
        self.__dict__[f"{side}_logits"] = logits.detach() + (told - told.detach())
        return gradient

    def _differentiate(self, logits: Tensor, *samples: Tensor) -> list[Tensor]:
        with gradients_at_samples_alone(), self._networks.device.full_precision():  # the casts are in the graph
            gradients = torch.autograd.grad(logits.sum(), samples, create_graph=True)
        return [gradient.reshape(logits.shape[-1], -1) for gradient in gradients]
