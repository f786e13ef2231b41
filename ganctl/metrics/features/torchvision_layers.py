"""Features of a network of torchvision, with weights from a file."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import interpolate

from ganctl.errors import ConfigError
from ganctl.images.pretrained import open_image_network
from ganctl.metrics.extractor import EXTRACTORS, Extracted, Extractor, FeatureExtractor, Reference
from ganctl.metrics.tensor_cache import digest

AT_ONCE = 32
"""Images of hundreds of pixels that one forward takes; a chunk of them would need gigabytes."""


@EXTRACTORS.register
class Torchvision(FeatureExtractor):
    """The means over pixels of layers of a classifier of torchvision, joined."""

    name: Literal["torchvision"]
    network: str
    layers: Annotated[list[str], Field(min_length=1)]
    weights: str | None
    side: Annotated[int, Field(ge=8, le=4096)]
    seed: Annotated[int, Field(ge=0)]

    def open(self, reference: Reference) -> Extractor:
        """Return the network up to the last of the layers; raise `ConfigError` for what does not fit."""
        reference.require_images("torchvision")
        network = open_image_network("features", self.network, self.layers, self.weights, self.seed, (0.0, 1.0))
        identity = digest(network.state_dict())[:32]
        network.to(reference.device)

        def means(images: Tensor) -> Tensor:
            images = images.to(reference.device).permute(0, 3, 1, 2).float() / 255
            images = interpolate(images, (self.side, self.side), mode="bilinear", antialias=True)
            layers = network(images)
            return torch.cat([layer.flatten(2).mean(2) if layer.dim() > 2 else layer for layer in layers], dim=1)

        def extract(images: Tensor) -> Extracted:
            return Extracted(torch.cat([means(part) for part in images.split(AT_ONCE)]))

        try:
            with torch.no_grad():
                dimension = means(reference.store.samples[:1]).shape[1]
        except (RuntimeError, AssertionError, AttributeError) as error:
            raise ConfigError(
                f"features.side: {self.side} pixels do not pass {self.network} up to {self.layers[-1]} "
                f"({str(error).partition('. ')[0]}); take more, or earlier layers"
            ) from error
        weights = "" if self.weights is not None else ", random weights"
        return Extractor(
            name=f"torchvision {self.network} {'+'.join(self.layers)}{weights}",
            extract=extract,
            identity=f"{self.network}-{'+'.join(self.layers)}-{identity}",
            dimension=dimension,
            device=reference.device,
            resizer=f"bilinear, antialiased, to {self.side} pixels",
        )
