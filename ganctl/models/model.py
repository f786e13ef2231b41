"""What a generator, a discriminator and their model are to the rest of ganctl."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from ganctl.errors import ConfigError
from ganctl.models.latents import LatentSpace, Prior
from ganctl.models.parts.heads import Condition, Heads
from ganctl.registry import Component, Family, Spec
from ganctl.samples import SampleSpace


class Generator(nn.Module):
    """Maps latents [batch, latents.width] to samples [batch, *shape]."""

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return samples in the value range of the model; `labels`, int64 [batch], say of which classes."""
        raise NotImplementedError

    def entrance(self, width: int) -> Tensor:
        """Return the weight of the layers that latents enter, [values, width]: what these make of latents alone.

        By default that of the first dense layer or transposed convolution, in the order of registration, that has
        `width` inputs or more; further ones are a class's. A generator whose latents enter elsewhere overrides it.
        Spectral norm counts in evaluation mode. Raises `ConfigError` if there is no such layer.
        """
        for module in self.modules():
            if isinstance(module, nn.Linear) and module.in_features >= width:
                return module.weight[:, :width]
            if isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d) and module.in_channels >= width:
                return module.weight[:width].flatten(1).T
        raise ConfigError(
            f"model: no layer of this generator takes {width:,} latents; its class must say by `entrance` which do"
        )


class StyledGenerator(Generator):
    """Maps latents to styles, and these to samples.

    Outside training styles are moved to their mean by `truncation`: 1 leaves them, 0 makes all samples one.
    """

    truncation: float = 1.0

    def styles(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the styles of latents [batch, latents.width], [batch, styles, width]."""
        raise NotImplementedError

    def synthesise(self, styles: Tensor) -> Tensor:
        """Return the samples of styles."""
        raise NotImplementedError

    def entrance(self, width: int) -> Tensor:
        """Return the weight of the layers that styles enter instead, [values, width of a style]."""
        raise NotImplementedError

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return samples in the value range of the model."""
        return self.synthesise(self.styles(latents, labels))


class Discriminator(nn.Module):
    """Maps samples [batch, *shape] to features, and these to logits, one for each sample or pack."""

    affine_in_pieces = False
    """Whether each logit is affine in pieces in its samples, by layers that say so (`parts/piecewise.py`)."""

    heads: Heads
    """What else it tells of the features."""

    def features(self, samples: Tensor) -> Tensor:
        """Return the last layer's input, [logits, …]."""
        raise NotImplementedError

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the last layer's logits: above zero for "real", and of the class that a label names."""
        raise NotImplementedError

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the weights of its layers, or blocks of layers, from the samples on, without those of the heads.

        A stage is a module with a matrix or a kernel, in the order of registration; those of `nn.Sequential`,
        `nn.ModuleList` and `nn.ModuleDict` count one by one. Norms belong to the stage before them.
        """
        stages: list[list[nn.Parameter]] = []
        for module in _listed(self):
            weights = [] if module is getattr(self, "heads", None) else list(module.parameters())
            if any(weight.dim() > 1 for weight in weights):
                stages.append(weights)
            elif stages:
                stages[-1] += weights
        return stages

    def freeze(self, count: int) -> None:
        """Keep the weights of the first `count` stages as they are (FreezeD: Mo et al. 2020, section 2).

        Raises `ConfigError` if no stage would be left to train.
        """
        stages = self.stages() if count else [[]]
        if count >= len(stages):
            raise ConfigError(
                f"model.discriminator.frozen: {count} leaves none of {len(stages)} layers to train; take "
                f"{len(stages) - 1} or less"
            )
        for weight in (weight for stage in stages[:count] for weight in stage):
            weight.requires_grad_(False)

    def forward(self, samples: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logits of samples."""
        return self.logits(self.features(samples), labels)

    def summary(self, features: Tensor) -> Tensor:
        """Return what `heads` read of features, [logits, values]."""
        return features.flatten(1)

    def class_logits(self, features: Tensor) -> Tensor:
        """Return the logits of each class, [logits, classes]."""
        assert self.heads.classifier is not None
        logits: Tensor = self.heads.classifier(self.summary(features))
        return logits

    def code_logits(self, features: Tensor) -> Tensor:
        """Return what `Heads` says of the codes of the latents, [logits, values]."""
        assert self.heads.codes is not None
        logits: Tensor = self.heads.codes(self.summary(features))
        return logits

    def reconstructed(self, features: Tensor, samples: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return images that are made of the features of samples, and what they should be, [kinds, logits, …].

        `numbers` in [0, 1), [logits], say where parts of an image lie that are made alone.
        """
        raise NotImplementedError


def _listed(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the modules of a module, and those of plain lists of modules in their place."""
    for child in module.children():
        if type(child) in (nn.Sequential, nn.ModuleList, nn.ModuleDict):
            yield from _listed(child)
        else:
            yield child


class GeneratorSpec(Spec):
    """What every generator states; `linear` leaves the values of images in about [-1, 1] unbounded."""

    output: Literal["tanh", "sigmoid", "linear"]


class DiscriminatorSpec(Spec):
    """What every discriminator states; `condition` counts where the model is conditional.

    The first `frozen` of `Discriminator.stages` are not trained: by default its modules in the order in which it
    registers them. A discriminator that is not run through in that order overrides `stages`.
    """

    condition: Condition
    frozen: Annotated[int, Field(ge=0)]


class Model(Component):
    """A generator and the discriminator that plays against it."""

    networks: ClassVar[tuple[type[Generator], type[Discriminator]]]
    """The classes of both, each called with the model and the space of samples."""

    latent: Annotated[int, Field(ge=1)]
    prior: Prior
    conditional: bool
    categorical_codes: Annotated[list[Annotated[int, Field(ge=2, le=1000)]], Field(max_length=64)]
    continuous_codes: Annotated[int, Field(ge=0, le=1000)]
    generator: GeneratorSpec
    discriminator: DiscriminatorSpec

    @property
    def latents(self) -> LatentSpace:
        """What the generator's latents are."""
        return LatentSpace(self.latent, self.prior, tuple(self.categorical_codes), self.continuous_codes)

    @property
    def lipschitz(self) -> bool:
        """Whether the discriminator's slope is bounded by how it is built."""
        return False

    @property
    def has_styles(self) -> bool:
        """Whether its generator maps latents to styles first."""
        return issubclass(self.networks[0], StyledGenerator)

    @property
    def mixes_samples(self) -> bool:
        """Whether a logit depends on the rest of the batch, as under batch norm."""
        return False

    @property
    def reconstructs(self) -> bool:
        """Whether the discriminator makes images of its features."""
        return False

    @property
    def judges_pixels(self) -> bool:
        """Whether the second of two kinds of logits are those of the pixels, by rows."""
        return False

    @property
    def value_range(self) -> tuple[float, float]:
        """Black and white of images in a step, generated and real ones alike."""
        return (0.0, 1.0) if self.generator.output == "sigmoid" else (-1.0, 1.0)

    def space(self, samples: SampleSpace) -> SampleSpace:
        """Return the space of samples with this model's value range, and the data's classes if it is conditional.

        Raises `ConfigError` if it is, and the data has none.
        """
        if self.conditional and not samples.classes:
            raise ConfigError("model.conditional: the data has no classes; set it to false")
        return replace(samples, value_range=self.value_range, classes=samples.classes if self.conditional else ())

    def build_generator(self, space: SampleSpace) -> Generator:
        """Return a freshly initialised generator; raise `ConfigError` if it cannot make such samples."""
        return self.networks[0](self, space)

    def build_discriminator(self, space: SampleSpace) -> Discriminator:
        """Return a freshly initialised discriminator; raise `ConfigError` if it cannot take such samples."""
        return self.networks[1](self, space)


MODELS: Family[Model] = Family("model")
