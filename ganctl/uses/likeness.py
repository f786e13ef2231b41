"""How much images are alike: by their pixels and by features, in the measure of a generator's own images."""

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from ganctl.errors import ConfigError
from ganctl.images.pretrained import open_image_network
from ganctl.runs.generator import TrainedGenerator
from ganctl.uses.inversion import Candidates, Describe, in_parts

Share = Annotated[float, Field(ge=0, le=1)]
"""Of a distance."""

VGG16 = ("features.3", "features.8", "features.15")
"""Its layers that are compared (Johnson et al. 2016, section 3.2, without the last)."""


def maker(trained: TrainedGenerator) -> Callable[[Tensor, Tensor | None], Tensor]:
    """Return the function from latents and labels to samples, in evaluation mode, that can be differentiated."""
    network = trained.network.eval()

    def make(latents: Tensor, labels: Tensor | None) -> Tensor:
        samples: Tensor = network(latents) if labels is None else network(latents, labels)
        return samples

    return make


def samples_of(trained: TrainedGenerator, rows: Tensor) -> Tensor:
    """Return images as a store has them as the generator makes them, on its device."""
    device, space = trained.device, trained.space
    return space.kind.normalise(rows.to(device.torch_device), space.value_range, device.dtype)


def drawn_images(trained: TrainedGenerator, candidates: Candidates, batch_size: int) -> Tensor:
    """Return the images of latents, on the generator's device, so many at once."""
    make = maker(trained)

    def made(numbers: Tensor) -> Tensor:
        part = candidates.chosen(numbers)
        return make(part.latents, part.labels)

    return in_parts(made, torch.arange(len(candidates.latents), device=candidates.latents.device), batch_size)


def likeness(
    trained: TrainedGenerator, images: Tensor, features: float, weights: str | None, batch_size: int
) -> list[Describe]:
    """Return what turns images into vectors, one for pixels and one for features, of which one may be absent.

    Squared distances of the vectors add up. Between two of the generator's `images` they are 2 on the average, of
    which features have the share `features`: those of the run's discriminator, or of torchvision's vgg16 with
    `weights`. Raises `ConfigError` for a discriminator that judges packs, and for weights that do not fit.
    """
    parts: list[tuple[float, Describe]] = [(1 - features, lambda images: images.flatten(1))]
    if features:
        parts.append((features, _features(trained, weights)))

    def scaled(share: float, part: Describe) -> Describe:
        vectors = in_parts(part, images, batch_size)
        spread = vectors.var(0, correction=0).sum().clamp(min=torch.finfo(vectors.dtype).tiny)
        scale = (share / spread).sqrt()
        return lambda samples: scale * part(samples)

    return [scaled(share, part) for share, part in parts if share]


def _features(trained: TrainedGenerator, weights: str | None) -> Describe:
    if weights is None:
        try:
            discriminator = trained.discriminator()
        except ConfigError as error:
            raise ConfigError(f"features: {error}; take features=0, or weights of vgg16") from error
        return lambda images: discriminator.features(images).flatten(1)
    network = open_image_network("", "vgg16", VGG16, weights, 0, trained.space.value_range)
    network.to(trained.device.torch_device, trained.device.dtype)
    return lambda images: torch.cat([layer.flatten(1) for layer in network(images)], 1)
