"""Fully connected networks for data of any shape."""

import math
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ganctl.models.layers import (
    ACTIVATIONS,
    JudgedLayersSpec,
    LayeredModel,
    LayersSpec,
    Maxout,
    Width,
    has_bias,
    weighted,
)
from ganctl.models.model import MODELS, Discriminator, Generator, GeneratorSpec
from ganctl.samples import IMAGES, SampleSpace


class DenseSpec(LayersSpec):
    """Hidden layers of either network."""

    dimensions = 0
    norm: Literal["batch", "layer", "spectral", "none"]
    hidden: Annotated[list[Width], Field(max_length=256)]
    maxout: Annotated[int, Field(ge=1, le=64)]

    def nonlinearity(self) -> nn.Module:
        """Return maxout, or the activation."""
        return Maxout(self.maxout) if self.maxout > 1 else super().nonlinearity()


class MlpGeneratorSpec(DenseSpec, GeneratorSpec):
    """The generator's layers and output."""


class MlpDiscriminatorSpec(DenseSpec, JudgedLayersSpec):
    """The discriminator's layers."""


def _dense(inputs: int, spec: DenseSpec, outputs: int, init_std: float | None) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in spec.hidden:
        maps = width * spec.maxout
        dense = nn.Linear(inputs, maps, bias=has_bias(spec.norm))
        layers += spec.block(dense, maps, init_std)
        inputs = width
    return nn.Sequential(*layers, weighted(nn.Linear(inputs, outputs), spec.norm, init_std))


class MlpGenerator(Generator):
    """Dense layers, then pixels through `output`, or points and sequences as they are."""

    def __init__(self, spec: "Mlp", space: SampleSpace) -> None:
        super().__init__()
        self.shape = space.shape
        self.joined = spec.joined(len(space.classes))
        self.dense = _dense(self.joined.width, spec.generator, math.prod(space.shape), spec.init_std)
        self.output = ACTIVATIONS[spec.generator.output]() if space.kind is IMAGES else nn.Identity()

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return samples [batch, *shape]."""
        samples: Tensor = self.output(self.dense(self.joined(latents, labels)))
        return samples.reshape(samples.shape[0], *self.shape)


class MlpDiscriminator(Discriminator):
    """Flattened samples through dense layers."""

    def __init__(self, spec: "Mlp", space: SampleSpace) -> None:
        super().__init__()
        inputs, hidden = math.prod(space.shape), spec.discriminator.hidden
        self.dense = _dense(inputs, spec.discriminator, 1, spec.init_std)
        self.heads = spec.heads(hidden[-1] if hidden else inputs, len(space.classes))

    def features(self, samples: Tensor) -> Tensor:
        """Return the last hidden layer, [batch, width]; the flattened samples if there is none."""
        features = samples.flatten(1)
        for layer in list(self.dense)[:-1]:
            features = layer(features)
        return features

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [batch]."""
        logits: Tensor = self.dense[-1](features)
        return self.heads.conditioned(logits.squeeze(1), features, labels)


@MODELS.register
class Mlp(LayeredModel):
    """Multi-layer perceptrons; the sizes of the first and last layer follow from the samples."""

    networks = (MlpGenerator, MlpDiscriminator)
    name: Literal["mlp"]
    generator: MlpGeneratorSpec
    discriminator: MlpDiscriminatorSpec
