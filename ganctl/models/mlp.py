"""Fully connected networks for data of any shape."""

import math
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ganctl.models.layers import (
    Activation,
    Dropout,
    Maxout,
    Norm,
    Width,
    activation,
    dropout_layers,
    has_bias,
    norm_layers,
    weighted,
)
from ganctl.models.model import MODELS, Discriminator, Generator, GeneratorSpec, Model
from ganctl.registry import Spec
from ganctl.samples import IMAGES, SampleSpace

DenseNorm = Literal["batch", "layer", "spectral", "none"]


class DenseSpec(Spec):
    """Hidden layers of either network."""

    hidden: Annotated[list[Width], Field(max_length=256)]
    norm: DenseNorm
    activation: Activation
    maxout: Annotated[int, Field(ge=1, le=64)]
    dropout: Dropout


class MlpGeneratorSpec(DenseSpec, GeneratorSpec):
    """The generator's layers and output."""


def _dense(inputs: int, spec: DenseSpec, outputs: int, init_std: float | None) -> nn.Sequential:
    norm: Norm = spec.norm
    layers: list[nn.Module] = []
    for width in spec.hidden:
        maps = width * spec.maxout
        layers += [
            weighted(nn.Linear(inputs, maps, bias=has_bias(norm)), norm, init_std),
            *norm_layers(norm, maps, init_std, dimensions=1),
            Maxout(spec.maxout) if spec.maxout > 1 else activation(spec.activation),
            *dropout_layers(spec.dropout),
        ]
        inputs = width
    return nn.Sequential(*layers, weighted(nn.Linear(inputs, outputs), norm, init_std))


class MlpGenerator(Generator):
    """Dense layers, then pixels through `output` or points as they are."""

    def __init__(self, spec: "Mlp", space: SampleSpace) -> None:
        super().__init__()
        self.shape = space.shape
        self.dense = _dense(spec.latent, spec.generator, math.prod(space.shape), spec.init_std)
        self.output = activation(spec.generator.output) if space.kind is IMAGES else nn.Identity()

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return samples [batch, *shape]."""
        samples: Tensor = self.output(self.dense(latents))
        return samples.reshape(len(samples), *self.shape)


class MlpDiscriminator(Discriminator):
    """Flattened samples through dense layers."""

    def __init__(self, spec: "Mlp", space: SampleSpace) -> None:
        super().__init__()
        self.dense = _dense(math.prod(space.shape), spec.discriminator, 1, spec.init_std)

    def features(self, samples: Tensor) -> Tensor:
        """Return the last hidden layer, [batch, width]; the flattened samples if there is none."""
        features = samples.flatten(1)
        for layer in list(self.dense)[:-1]:
            features = layer(features)
        return features

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [batch]."""
        logits: Tensor = self.dense[-1](features)
        return logits.squeeze(1)


@MODELS.register
class Mlp(Model):
    """Multi-layer perceptrons; the sizes of the first and last layer follow from the data."""

    name: Literal["mlp"]
    init_std: Annotated[float, Field(gt=0)] | None
    generator: MlpGeneratorSpec
    discriminator: DenseSpec

    @property
    def lipschitz(self) -> bool:
        """Whether every layer of the discriminator is spectrally normalised."""
        return self.discriminator.norm == "spectral"

    @property
    def mixes_samples(self) -> bool:
        """Whether the discriminator has batch norm."""
        return self.discriminator.norm == "batch"

    def build_generator(self, space: SampleSpace) -> Generator:
        """Return a generator of pictures or points."""
        return MlpGenerator(self, space)

    def build_discriminator(self, space: SampleSpace) -> Discriminator:
        """Return a discriminator of pictures or points."""
        return MlpDiscriminator(self, space)
