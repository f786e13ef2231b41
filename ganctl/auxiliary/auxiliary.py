"""Auxiliary terms of the generator's loss, or of both players'.

No sample has a reference image. So batches are compared by their means, and samples with others of their batch.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy, relu

from ganctl.errors import ConfigError
from ganctl.game.round import Distribution, PlayerName, Round, Side, Surroundings
from ganctl.images.blur import similarity_terms
from ganctl.images.pretrained import open_image_network, weights_digest
from ganctl.processes.ranks import Ranks
from ganctl.registry import Family
from ganctl.runtime.torchvision_import import installed
from ganctl.terms import LossTerm, row_products


class Auxiliary(LossTerm):
    """A term added to the generator's loss, or to those of `players`."""

    players: ClassVar[tuple[PlayerName, ...]] = ("generator",)
    """Whose losses have the term."""

    def versions(self) -> dict[str, str]:
        """Return what the term's bits depend on besides the config."""
        return {}


AUXILIARIES: Family[Auxiliary] = Family("auxiliary")


def _mean_distance(real: Tensor, fake: Tensor) -> Tensor:
    """Return the squared distance of two batches' means, summed over all values."""
    return Ranks.here().mean(real.mean(0) - fake.mean(0)).square().sum()


@AUXILIARIES.register
class FeatureMatching(Auxiliary):
    """‖E f(x) − E f(G(z))‖² for the discriminator's last features f (Salimans et al. 2016, section 3.1)."""

    reads_real = True
    name: Literal["feature_matching"]

    def __call__(self, round: Round) -> Tensor:
        """Return the squared distance between the mean features of real and generated samples."""
        return _mean_distance(round.real_features, round.fake_features)


@AUXILIARIES.register
class Ssim(Auxiliary):
    """The mean structural similarity of each generated image and its neighbour in the batch.

    Minimised, it keeps samples apart: a term against mode collapse. (Wang et al. 2004, equation 13.)
    """

    name: Literal["ssim"]

    def build(self, surroundings: Surroundings) -> Callable[[Round], Tensor]:
        """Return the similarity among the fakes of a batch, −1 to 1."""
        surroundings.space.require_images("auxiliary: ssim compares images", "leave it out")
        low, high = surroundings.space.value_range

        def likeness(round: Round) -> Tensor:
            light = round.fake - low
            return structural_similarity(light, light.roll(1, 0), high - low).mean()

        return likeness


@AUXILIARIES.register
class Perceptual(Auxiliary):
    """Σ over layers of the mean squared difference of batch-mean features of a fixed network of torchvision.

    (Perceptual features: Johnson et al. 2016, section 3.2, here of a batch's means, for lack of a target.)
    """

    reads_real = True
    name: Literal["perceptual"]
    network: str
    layers: Annotated[list[str], Field(min_length=1)]
    weights: str | None

    def versions(self) -> dict[str, str]:
        """Return torchvision's version, and the sha256 of the weights if there are any."""
        digest = {"perceptual weights": weights_digest(self.weights)} if self.weights is not None else {}
        return {"torchvision": installed("torchvision")} | digest

    def build(self, surroundings: Surroundings) -> Callable[[Round], Tensor]:
        """Return the distance in its features; raise `ConfigError` for a network or weights that do not fit."""
        surroundings.space.require_images("auxiliary: perceptual compares images", "leave it out")
        space, key = surroundings.space, "auxiliary.perceptual"
        network = open_image_network(
            key, self.network, self.layers, self.weights, surroundings.seed, space.value_range
        ).to(surroundings.device, surroundings.dtype)
        try:
            network(torch.zeros(1, *space.shape, device=surroundings.device, dtype=surroundings.dtype))
        except (RuntimeError, AssertionError, AttributeError) as error:
            _, height, width = space.shape
            raise ConfigError(
                f"{key}.layers: {height}×{width} pixels do not pass {self.network} up to {self.layers[-1]} "
                f"({str(error).partition('. ')[0]}); take earlier layers, or another network"
            ) from error

        def distance(round: Round) -> Tensor:
            real, fake = (network(samples) for samples in (round.real, round.fake))
            pairs = zip(real, fake, strict=True)
            return torch.stack([_mean_distance(*pair) / pair[0][0].numel() for pair in pairs]).sum()

        return distance


def structural_similarity(first: Tensor, second: Tensor, value_range: float) -> Tensor:
    """Return the similarity of pairs [batch, channels, height, width], values in [0, value_range], as [batch]."""
    light, bright, structure, rough = similarity_terms(first, second, value_range)
    return (light * structure / (bright * rough)).flatten(1).mean(1)


@AUXILIARIES.register
class ClassLoss(Auxiliary):
    """How far the discriminator's class head is from the labels: the auxiliary classifier (Odena et al. 2017).

    The generator minimises it for the class it was asked for; the discriminator for real samples and, `on_fakes`,
    for generated ones. `cross_entropy`, or the multi-class hinge (Crammer and Singer 2001, equation 7).
    """

    players = ("generator", "discriminator")
    name: Literal["class_loss"]
    form: Literal["cross_entropy", "hinge"]
    on_fakes: bool

    def build(self, surroundings: Surroundings) -> Callable[[Round], Tensor]:
        """Return the mean over a batch, summed over its sides."""
        sides: list[Side] = ["fake"]
        if surroundings.player == "discriminator":
            sides = ["real", "fake"] if self.on_fakes else ["real"]
        distance = cross_entropy if self.form == "cross_entropy" else multiclass_hinge

        def loss(round: Round) -> Tensor:
            return torch.stack([distance(round.class_logits(side), round.labels(side)) for side in sides]).sum()

        return loss


def multiclass_hinge(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean of max(0, 1 + the largest other logit − the label's), logits [n, classes], labels [n]."""
    own = labels[:, None]
    others = logits.scatter(1, own, -torch.inf).amax(1)
    return relu(1 + others - logits.gather(1, own).squeeze(1)).mean()


@AUXILIARIES.register
class CodeLoss(Auxiliary):
    """−log Q(c | G(z, c)), which bounds the information of samples on codes (Chen et al. 2016, equation 5).

    Both players minimise it. Given a sample, a continuous code is normal with variance 1, as in the authors' code;
    `continuous` is the weight of these codes beside 1 for each categorical one.
    """

    players = ("generator", "discriminator")
    reads_latents = True
    name: Literal["code_loss"]
    continuous: Annotated[float, Field(ge=0)]

    def build(self, surroundings: Surroundings) -> Callable[[Round], Tensor]:
        """Return the mean over a batch, summed over codes."""
        space = surroundings.latents
        sizes = [*space.categorical, space.continuous]

        def loss(round: Round) -> Tensor:
            told = round.code_logits().split(sizes, 1)
            codes = round.latents[:, space.dimensions :].split(sizes, 1)
            terms = [cross_entropy(*pair) for pair in zip(told[:-1], codes[:-1], strict=True)]
            if space.continuous:
                terms.append(self.continuous * (told[-1] - codes[-1]).square().sum(1).mean() / 2)
            return torch.stack(terms).sum()

        return loss


@AUXILIARIES.register
class OrthogonalGenerator(Auxiliary):
    """The penalty `orthogonal`, of the generator's weights (Brock et al. 2019, equation 3)."""

    name: Literal["orthogonal_generator"]

    def __call__(self, round: Round) -> Tensor:
        """Return the sum over layers of the squared products of different rows, one row an output."""
        return row_products(round.generator_weights)


@AUXILIARIES.register
class Reconstruction(Auxiliary):
    """How far images decoded from the discriminator's features of real samples are from these, as it saw them.

    Of the whole image, of the small one, and of a random quarter (Liu et al. 2021, equation 4). The mean absolute
    difference of pixels, where the paper has a perceptual one, whose pretrained weights are not ours to give.
    """

    players = ("discriminator",)
    reads_real = True
    draws: ClassVar[Mapping[str, Distribution]] = {"quarter": "uniform"}
    name: Literal["reconstruction"]

    def __call__(self, round: Round) -> Tensor:
        """Return the mean distances, summed over the kinds of images."""
        made, wanted = round.reconstructed(round.uniform("quarter"))
        return (made - wanted).abs().flatten(1).mean(1).sum()
