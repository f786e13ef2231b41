"""What every pair of networks promises to the rest of ganctl."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ganctl.registry import Component, Family, Spec

Shape = tuple[int, ...]
"""Of one sample: (channels, height, width) for pictures, (dimensions,) for points."""

Output = Literal["tanh", "sigmoid"]


class Generator(nn.Module):
    """Maps latents [batch, latent] to samples [batch, *shape]."""

    def forward(self, latents: Tensor) -> Tensor:
        """Return generated samples in the value range of the model."""
        raise NotImplementedError


class Discriminator(nn.Module):
    """Maps samples [batch, *shape] to features, and these to logits [judgements], one a sample or a pack."""

    def features(self, samples: Tensor) -> Tensor:
        """Return what the last layer reads, [judgements, …]."""
        raise NotImplementedError

    def logits(self, features: Tensor) -> Tensor:
        """Return the last layer's logits: above zero for "real"."""
        raise NotImplementedError

    def forward(self, samples: Tensor) -> Tensor:
        """Return the logits of samples."""
        return self.logits(self.features(samples))


class GeneratorSpec(Spec):
    """What every generator states."""

    output: Output


class Model(Component):
    """A generator and the discriminator that plays against it."""

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
    def picture_range(self) -> tuple[float, float]:
        """Lowest and highest value of a picture's pixels, for generated and real ones alike."""
        return (-1.0, 1.0) if self.generator.output == "tanh" else (0.0, 1.0)

    def build_generator(self, shape: Shape) -> Generator:
        """Return a freshly initialised generator of samples of this shape.

        Raises `ConfigError` if the model cannot make that shape.
        """
        raise NotImplementedError

    def build_discriminator(self, shape: Shape) -> Discriminator:
        """Return a freshly initialised discriminator for samples of this shape.

        Raises `ConfigError` if the model cannot take that shape.
        """
        raise NotImplementedError


MODELS: Family[Model] = Family("model")
