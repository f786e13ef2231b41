"""A model: one hidden layer each, for data of any shape."""

import math
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ganctl.models import MODELS, Discriminator, Generator, Model, Shape


class TwoLayersGenerator(Generator):
    """Latents to samples."""

    def __init__(self, latent: int, hidden: int, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.layers = nn.Sequential(nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, math.prod(shape)))

    def forward(self, latents: Tensor) -> Tensor:
        """Return samples [batch, *shape]; pictures in [−1, 1]."""
        samples = self.layers(latents).unflatten(1, self.shape)
        return samples.tanh() if len(self.shape) == 3 else samples


class TwoLayersDiscriminator(Discriminator):
    """Samples to logits."""

    def __init__(self, hidden: int, shape: Shape) -> None:
        super().__init__()
        self.first = nn.Linear(math.prod(shape), hidden)
        self.last = nn.Linear(hidden, 1)

    def features(self, samples: Tensor) -> Tensor:
        """Return the hidden layer, [batch, hidden]."""
        return self.first(samples.flatten(1)).relu()

    def logits(self, features: Tensor) -> Tensor:
        """Return logits [batch]."""
        return self.last(features).squeeze(1)


@MODELS.register
class TwoLayers(Model):
    """Two perceptrons."""

    name: Literal["two_layers"]
    hidden: Annotated[int, Field(ge=1)]

    def build_generator(self, shape: Shape) -> Generator:
        """Return a generator of pictures or points."""
        return TwoLayersGenerator(self.latent, self.hidden, shape)

    def build_discriminator(self, shape: Shape) -> Discriminator:
        """Return a discriminator of pictures or points."""
        return TwoLayersDiscriminator(self.hidden, shape)
