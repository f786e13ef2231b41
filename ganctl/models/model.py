"""What a generator, a discriminator and their model are to the rest of ganctl."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from ganctl.registry import Component, Family, Spec
from ganctl.samples import SampleSpace


class Generator(nn.Module):
    """Maps latents [batch, latent] to samples [batch, *shape]."""

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return samples in the value range of the model; `labels`, int64 [batch], say of which classes."""
        raise NotImplementedError


class Discriminator(nn.Module):
    """Maps samples [batch, *shape] to features, and these to logits, one for each sample or pack."""

    def features(self, samples: Tensor) -> Tensor:
        """Return the last layer's input, [logits, …]."""
        raise NotImplementedError

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the last layer's logits: above zero for "real", and of the class that a label names."""
        raise NotImplementedError

    def forward(self, samples: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logits of samples."""
        return self.logits(self.features(samples), labels)


class GeneratorSpec(Spec):
    """What every generator states."""

    output: Literal["tanh", "sigmoid"]


class Model(Component):
    """A generator and the discriminator that plays against it."""

    networks: ClassVar[tuple[type[Generator], type[Discriminator]]]
    """The classes of both, each called with the model and the space of samples."""

    latent: Annotated[int, Field(ge=1)]
    generator: GeneratorSpec

    @property
    def lipschitz(self) -> bool:
        """Whether the discriminator's slope is bounded by how it is built."""
        return False

    @property
    def mixes_samples(self) -> bool:
        """Whether a logit depends on the rest of the batch, as under batch norm."""
        return False

    @property
    def value_range(self) -> tuple[float, float]:
        """Black and white of images in a step, generated and real ones alike."""
        return (-1.0, 1.0) if self.generator.output == "tanh" else (0.0, 1.0)

    def space(self, samples: SampleSpace) -> SampleSpace:
        """Return the space of samples with this model's value range."""
        return replace(samples, value_range=self.value_range)

    def build_generator(self, space: SampleSpace) -> Generator:
        """Return a freshly initialised generator; raise `ConfigError` if it cannot make such samples."""
        return self.networks[0](self, space)

    def build_discriminator(self, space: SampleSpace) -> Discriminator:
        """Return a freshly initialised discriminator; raise `ConfigError` if it cannot take such samples."""
        return self.networks[1](self, space)


MODELS: Family[Model] = Family("model")
