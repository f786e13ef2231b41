"""R3GAN (Huang et al. 2024, config E): grouped residual blocks without normalisation, for RpGAN with R1 and R2."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ganctl.errors import ConfigError
from ganctl.models.layers import ACTIVATIONS, Width
from ganctl.models.model import MODELS, Discriminator, DiscriminatorSpec, Generator, GeneratorSpec, Model
from ganctl.models.parts.grouped import GroupedConv2d
from ganctl.models.parts.heads import Heads
from ganctl.models.parts.interpolation import doubled, halved
from ganctl.models.parts.piecewise import leaky_relu
from ganctl.models.parts.sizes import base_of
from ganctl.registry import Spec
from ganctl.samples import SampleSpace

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))
"""What keeps the variance through a leaky ReLU (He et al. 2015, equation 15)."""

LAYERS = 3
"""Convolutions in a block."""

Stages = Annotated[list[Width], Field(min_length=1)]
"""A number for each stage, from the full side on; the last is that of all further ones."""


def initialised(layer: nn.Module, gain: float = 1.0) -> nn.Module:
    """Draw a layer's weight from N(0, gain² / inputs), and set its bias to 0."""
    weight: Tensor = layer.weight  # type: ignore[assignment]
    nn.init.normal_(weight, 0.0, gain / math.sqrt(weight[0].numel()))
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


def embedding_of(classes: int, dimensions: int, gain: float = 1.0) -> nn.Embedding:
    """Return so many dimensions for each class, from N(0, gain² / classes), as a linear map of one-hot classes."""
    embedding = nn.Embedding(classes, dimensions)
    nn.init.normal_(embedding.weight, 0.0, gain / math.sqrt(classes))
    return embedding


@dataclass(frozen=True)
class Stage:
    """Blocks at one side; `scaled` is the number of blocks in all stages of the network."""

    width: int
    blocks: int
    group_width: int
    expansion: int
    scaled: int


class StagesSpec(Spec):
    """The blocks of a network, by stages of one side each."""

    widths: Stages
    blocks: Stages
    group_widths: Stages
    expansion: Annotated[int, Field(ge=1, le=16)]
    embedding: Width

    def stages(self, count: int, key: str) -> list[Stage]:
        """Return so many stages, from the full side on.

        Raises `ConfigError` naming a key below `key` if there are more numbers, or groups that do not fit.
        """
        lists = {"widths": self.widths, "blocks": self.blocks, "group_widths": self.group_widths}
        for name, given in lists.items():
            if len(given) > count:
                raise ConfigError(f"{key}.{name}: {len(given)} numbers for {count} stages; take {count} or fewer")
        widths, blocks, groups = (given + given[-1:] * (count - len(given)) for given in lists.values())
        for width, group in zip(widths, groups, strict=True):
            if width * self.expansion % group:
                raise ConfigError(
                    f"{key}.group_widths: groups of {group} do not divide {width * self.expansion} channels "
                    f"(width × expansion); take a divisor"
                )
        return [
            Stage(width, number, group, self.expansion, sum(blocks))
            for width, number, group in zip(widths, blocks, groups, strict=True)
        ]


class R3ganGeneratorSpec(StagesSpec, GeneratorSpec):
    """The generator's stages and output."""


class R3ganDiscriminatorSpec(StagesSpec, DiscriminatorSpec):
    """The discriminator's stages and condition; it has no norm."""

    norm: Literal["none"]


class Block(nn.Module):
    """Adds to maps a bottleneck turned outside in: 1×1 to more channels, 3×3 in groups, 1×1 back.

    A leaky ReLU with a bias before it follows the first two. The last starts at 0, and the others get a gain of
    `scaled` blocks in a row (fix-up: Zhang et al. 2019, section 3).
    """

    def __init__(self, width: int, hidden: int, group_width: int, scaled: int) -> None:
        super().__init__()
        gain = GAIN * scaled ** (-1 / (2 * LAYERS - 2))
        self.conv1 = initialised(GroupedConv2d(width, hidden, 1), gain)
        self.conv2 = initialised(GroupedConv2d(hidden, hidden, 3, group_width), gain)
        self.conv3 = initialised(GroupedConv2d(hidden, width, 1, bias=False), 0.0)

    def forward(self, maps: Tensor) -> Tensor:
        """Return [batch, width, …] of the same."""
        hidden = leaky_relu(self.conv1(maps), SLOPE)
        hidden = leaky_relu(self.conv2(hidden), SLOPE)
        added: Tensor = maps + self.conv3(hidden)
        return added


class Resampled(nn.Module):
    """Halves or doubles the sides of maps, and projects them at the smaller side where widths differ."""

    def __init__(self, inputs: int, outputs: int, *, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        same = inputs == outputs
        self.project = nn.Identity() if same else initialised(GroupedConv2d(inputs, outputs, 1, bias=False))

    def forward(self, maps: Tensor) -> Tensor:
        """Return [batch, outputs, …] of maps [batch, inputs, height, width]."""
        result: Tensor = self.project(halved(maps)) if self.halves else doubled(self.project(maps))
        return result


def layers_of(stages: Sequence[Stage], *, halves: bool) -> nn.Sequential:
    """Return the blocks of all stages in turn, with what halves or doubles the sides between them."""
    layers: list[nn.Module] = []
    for number, stage in enumerate(stages):
        if number:
            layers.append(Resampled(stages[number - 1].width, stage.width, halves=halves))
        hidden = stage.width * stage.expansion
        layers += [Block(stage.width, hidden, stage.group_width, stage.scaled) for _ in range(stage.blocks)]
    return nn.Sequential(*layers)


class GenerativeBasis(nn.Module):
    """Learned maps [channels, height, width], each scaled by a linear function of latents."""

    def __init__(self, inputs: int, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, height, width))
        self.scale = initialised(nn.Linear(inputs, channels, bias=False))

    def forward(self, latents: Tensor) -> Tensor:
        """Return maps [batch, channels, height, width] of latents [batch, inputs]."""
        scales: Tensor = self.scale(latents)
        return (scales[:, :, None, None] * self.maps.to(scales.dtype)).contiguous(
            memory_format=torch.channels_last
        )


class DiscriminativeBasis(nn.Module):
    """Learned maps [channels, height, width], with each of which a channel is multiplied and summed."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.maps = nn.Parameter(torch.randn(channels, height, width) / math.sqrt(height * width))

    def forward(self, maps: Tensor) -> Tensor:
        """Return [batch, channels] of maps [batch, channels, height, width]."""
        return (maps * self.maps.to(maps.dtype)).sum((2, 3))


class R3ganGenerator(Generator):
    """Doubles a base of 4–7 pixels, which latents and an embedding of the class scale."""

    def __init__(self, model: "R3gan", space: SampleSpace) -> None:
        super().__init__()
        spec = model.generator
        halvings, base = base_of(space, "r3gan")
        stages = spec.stages(halvings + 1, "model.generator")[::-1]
        classes, inputs = len(space.classes), model.latents.width
        self.embedding = embedding_of(classes, spec.embedding) if classes else None
        self.basis = GenerativeBasis(inputs + (spec.embedding if classes else 0), stages[0].width, *base)
        self.blocks = layers_of(stages, halves=False)
        self.pixels = initialised(GroupedConv2d(stages[-1].width, space.shape[0], 1, bias=False))
        self.output = ACTIVATIONS[spec.output]()

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images [batch, channels, height, width]."""
        if self.embedding is not None:
            assert labels is not None, "a conditional generator needs labels"
            latents = torch.cat([latents, self.embedding(labels).to(latents.dtype)], 1)
        images: Tensor = self.output(self.pixels(self.blocks(self.basis(latents))))
        return images


class R3ganDiscriminator(Discriminator):
    """Halves images down to a base of 4–7 pixels, which a basis turns into features."""

    affine_in_pieces = True

    def __init__(self, model: "R3gan", space: SampleSpace) -> None:
        super().__init__()
        spec = model.discriminator
        halvings, base = base_of(space, "r3gan")
        stages = spec.stages(halvings + 1, "model.discriminator")
        self.pixels = initialised(GroupedConv2d(space.shape[0], stages[0].width, 1, bias=False))
        self.blocks = layers_of(stages, halves=True)
        features = stages[-1].width
        self.basis = DiscriminativeBasis(features, *base)
        projects = space.classes and spec.condition == "projection"
        told = spec.embedding if projects else 1
        self.judge = initialised(nn.Linear(features, told, bias=False))
        self.embedding = embedding_of(len(space.classes), told, told**-0.5) if projects else None
        classes = 0 if projects else len(space.classes)
        self.heads = Heads(features, classes, spec.condition, model.latents, initialised)

    def features(self, samples: Tensor) -> Tensor:
        """Return what the basis makes of the last maps, [batch, channels]."""
        features: Tensor = self.basis(self.blocks(self.pixels(samples)))
        return features

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [batch]."""
        told: Tensor = self.judge(features)
        if self.embedding is not None:
            assert labels is not None, "a projection discriminator needs labels"
            told = told * self.embedding(labels).to(told.dtype)
        return told.sum(1)


@MODELS.register
class R3gan(Model):
    """R3GAN for images whose sides halve until the smaller is 4–7 pixels."""

    networks = (R3ganGenerator, R3ganDiscriminator)
    name: Literal["r3gan"]
    generator: R3ganGeneratorSpec
    discriminator: R3ganDiscriminatorSpec
