"""Directions that a generator has learned without labels: SeFa and GANSpace, and latents moved along them."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from ganctl.errors import ConfigError, counted
from ganctl.models import StyledGenerator
from ganctl.models.latents import LatentSpace
from ganctl.models.model import Generator
from ganctl.runs.generator import CPU, TrainedGenerator
from ganctl.runtime.randomness import generator

Method = Literal["sefa", "pca"]

DRAWN = 10_000
"""Latents whose activations or styles `pca` looks at: the same ones each time."""

TOGETHER = 250
"""Of these, so many are mapped to styles at once: a constant, so that nothing else rounds them otherwise."""

NEGLIGIBLE = 1e-6
"""Directions of less gain, as a share of the largest, are rounding errors of float32."""


@dataclass(frozen=True)
class Directions:
    """Unit vectors, float32 [count, width], and the gain of each, float32 [count], in falling order.

    The width is that of the prior's values, or of a style. Each vector's largest component is positive.
    """

    vectors: Tensor
    gains: Tensor

    @classmethod
    def of(cls, vectors: Tensor, gains: Tensor) -> "Directions":
        """Return vectors of any length and sign, by falling gain, without those of almost none."""
        kept = vectors[gains > NEGLIGIBLE * gains.max()]
        units = kept / kept.norm(dim=1, keepdim=True)
        largest = units.gather(1, units.abs().argmax(1, keepdim=True))
        return cls((units * largest.sign()).float(), gains[: len(kept)].float())

    def numbered(self, number: int) -> Tensor:
        """Return the vector of a number from 1; raise `ConfigError` if there is none."""
        if not 1 <= number <= len(self.vectors):
            there = f"this generator has {counted(len(self.vectors), 'direction')}, numbered from 1"
            raise ConfigError(f"direction: there is no direction {number:,}; {there}")
        return self.vectors[number - 1]


def sefa(weight: Tensor) -> Directions:
    """Return the directions that a layer of this weight [values, width] changes most.

    They are its right singular vectors; the gains are its singular values: how far its output moves by one unit
    (Shen and Zhou 2021, equations 4 to 6).
    """
    _, gains, vectors = torch.linalg.svd(weight.double(), full_matrices=False)
    return Directions.of(vectors, gains)


def principal(activations: Tensor, latents: Tensor | None = None) -> Directions:
    """Return the principal components of activations [count, values], carried back to latents [count, width].

    A component becomes the latents that its coordinate predicts best, by least squares (Härkönen et al. 2020,
    equation 1 and section 3.2); without latents it stays as it is. The gains are the standard deviations of the
    activations along the components.
    """
    centred = activations.double() - activations.double().mean(0)
    _, lengths, components = torch.linalg.svd(centred, full_matrices=False)
    gains = lengths / (len(activations) - 1) ** 0.5
    if latents is None:
        return Directions.of(components, gains)
    kept = components[gains > NEGLIGIBLE * gains.max()]
    vectors = torch.linalg.lstsq(centred @ kept.T, latents.double()).solution
    return Directions.of(vectors, gains[: len(kept)])


def directions_of(trained: TrainedGenerator, method: Method) -> Directions:
    """Return the directions of a trained generator, the same each time: of styles where it has them.

    `sefa` reads the weight of the layers that latents or styles enter. `pca` looks at what the layers that
    latents enter make of them, or at the styles themselves, without what differs between classes alone.

    Raises `ConfigError` for a generator whose first layer cannot be found.
    """
    network, space = trained.network.eval(), trained.latents  # in which spectral norm and styles hold still
    assert isinstance(network, Generator)
    if method == "pca" and isinstance(network, StyledGenerator):
        return principal(_styles(trained))
    weight = network.entrance(space.width).detach().to(CPU, torch.float64)
    if isinstance(network, StyledGenerator):
        return sefa(weight)
    weight = weight[:, : space.dimensions]
    if method == "sefa":
        return sefa(weight)
    latents = _latents(space)[:, : space.dimensions].double()
    # The rows of this triangle are the weight's in other coordinates: fewer, and with the same components.
    return principal(latents @ torch.linalg.qr(weight).R.T, latents)


def _latents(space: LatentSpace) -> Tensor:
    return space.draw((DRAWN,), generator(CPU, "directions"), torch.float32)


@torch.no_grad()
def _styles(trained: TrainedGenerator) -> Tensor:
    """Return styles of many latents, float64 [count, width], less the mean of their class."""
    network, device, classes = trained.network, trained.device, len(trained.space.classes)
    assert isinstance(network, StyledGenerator)
    latents = _latents(trained.latents).to(device.torch_device, device.dtype)
    labels = torch.arange(DRAWN) % classes if classes else None
    parts = []
    for start in range(0, DRAWN, TOGETHER):
        part = slice(start, start + TOGETHER)
        asked = None if labels is None else labels[part].to(device.torch_device)
        parts.append(network.styles(latents[part], asked)[:, 0].to(CPU, torch.float64))
    styles = torch.cat(parts)
    for label in range(classes):
        styles[labels == label] -= styles[labels == label].mean(0)
    return styles


class MovedGenerator(Generator):
    """Maps latents and, beside them in further columns, shifts of these or of their styles to samples."""

    def __init__(self, network: nn.Module, space: LatentSpace) -> None:
        super().__init__()
        self.network, self.space = network, space
        self.train(network.training)

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the samples of [batch, width of latents + width of a shift]."""
        values, shifts = latents[:, : self.space.width], latents[:, self.space.width :]
        if isinstance(self.network, StyledGenerator):
            return self.network.synthesise(self.network.styles(values, labels) + shifts[:, None])
        moved: Tensor = self.network(self.space.moved(values, shifts), labels)
        return moved


def moving(trained: TrainedGenerator) -> TrainedGenerator:
    """Return the generator that takes shifts beside latents: [count, width of latents + width of a shift].

    Shifts are multiples of directions: of the prior's values, or of styles where there are any.
    """
    return replace(trained, network=MovedGenerator(trained.network, trained.latents))
