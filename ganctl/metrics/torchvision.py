"""Features of a network of torchvision, with weights from a file."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import interpolate

from ganctl.errors import ConfigError
from ganctl.images.pretrained import ImageNetwork, open_image_network
from ganctl.metrics.cache import digest
from ganctl.metrics.extractor import EXTRACTORS, Extractor, FeatureExtractor, Seen, Surroundings

AT_ONCE = 32
"""Pictures of hundreds of pixels that one forward takes; a chunk of them would need gigabytes."""


@EXTRACTORS.register
class Torchvision(FeatureExtractor):
    """The means over pixels of layers of a classifier of torchvision, joined."""

    name: Literal["torchvision"]
    network: str
    layers: Annotated[list[str], Field(min_length=1)]
    weights: str | None
    side: Annotated[int, Field(ge=8, le=4096)]
    seed: Annotated[int, Field(ge=0)]

    def open(self, surroundings: Surroundings) -> Extractor:
        """Return the network up to the last of the layers.

        Raises `ConfigError` for points, an unknown network or layer, a side that is too small for the layers, or
        weights that do not fit.
        """
        surroundings.require_pictures("torchvision")
        network = open_image_network("features", self.network, self.layers, self.weights, self.seed, (0.0, 1.0))
        identity = digest(network.state_dict())[:32]
        look = Pooled(network.to(surroundings.device), self.side, surroundings.device)
        sample = surroundings.store.samples[:1]
        try:
            with torch.no_grad():
                dimension = look(sample).features.shape[1]
        except (RuntimeError, AssertionError, AttributeError) as error:
            raise ConfigError(
                f"features.side: {self.side} pixels do not pass {self.network} up to {self.layers[-1]} "
                f"({str(error).partition('. ')[0]}); take more, or earlier layers"
            ) from error
        weights = "" if self.weights is not None else ", random weights"
        return Extractor(
            name=f"torchvision {self.network} {'+'.join(self.layers)}{weights}",
            look=look,
            identity=f"{self.network}-{'+'.join(self.layers)}-{identity}",
            dimension=dimension,
            device=surroundings.device,
            resizer=f"bilinear, antialiased, to {self.side} pixels",
        )


class Pooled:
    """Looks at pictures of 1 or 3 channels, resized, by a network's layers."""

    def __init__(self, network: ImageNetwork, side: int, device: torch.device) -> None:
        self.network = network
        self.side = side
        self.device = device

    def __call__(self, samples: Tensor) -> Seen:
        """Return the layers' means over pixels of pictures, uint8 [n, height, width, channels]."""
        return Seen(torch.cat([self._part(part) for part in samples.split(AT_ONCE)]))

    def _part(self, samples: Tensor) -> Tensor:
        pictures = samples.to(self.device).permute(0, 3, 1, 2).float() / 255
        pictures = interpolate(pictures, (self.side, self.side), mode="bilinear", antialias=True)
        layers = self.network(pictures)
        return torch.cat([layer.flatten(2).mean(2) if layer.dim() > 2 else layer for layer in layers], dim=1)
