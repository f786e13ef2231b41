"""A model: one hidden layer each, for data of any shape."""

import math
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ganctl.models import MODELS, Discriminator, Generator, Model
from ganctl.samples import IMAGES, SampleSpace


class TwoLayersGenerator(Generator):
    """Latents to samples."""

    def __init__(self, latent: int, hidden: int, space: SampleSpace) -> None:
        super().__init__()
        self.space = space
        self.layers = nn.Sequential(
            nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, math.prod(space.shape))
        )

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return samples [batch, *shape]; images in [−1, 1]."""
        samples = self.layers(latents).unflatten(1, self.space.shape)
        return samples.tanh() if self.space.kind is IMAGES else samples


class TwoLayersDiscriminator(Discriminator):
    """Samples to logits."""

    def __init__(self, hidden: int, space: SampleSpace) -> None:
        super().__init__()
        self.first = nn.Linear(math.prod(space.shape), hidden)
        self.last = nn.Linear(hidden, 1)

    def features(self, samples: Tensor) -> Tensor:
        """Return the hidden layer, [batch, hidden]."""
        return self.first(samples.flatten(1)).relu()

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [batch]."""
        return self.last(features).squeeze(1)


@MODELS.register
class TwoLayers(Model):
    """Two perceptrons."""

    name: Literal["two_layers"]
    hidden: Annotated[int, Field(ge=1)]

    def build_generator(self, space: SampleSpace) -> Generator:
        """Return a generator of images or points."""
        return TwoLayersGenerator(self.latent, self.hidden, space)

    def build_discriminator(self, space: SampleSpace) -> Discriminator:
        """Return a discriminator of images or points."""
        return TwoLayersDiscriminator(self.hidden, space)
