"""StyleGAN2 (Karras et al. 2020a), with classes and architectures as in StyleGAN2-ADA (Karras et al. 2020b)."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ganctl.models.layers import ACTIVATIONS, Width
from ganctl.models.model import MODELS, Discriminator, DiscriminatorSpec, GeneratorSpec, Model, StyledGenerator
from ganctl.models.parts.heads import Heads
from ganctl.models.parts.sizes import base_of
from ganctl.models.parts.styles.deviation import MinibatchDeviation
from ganctl.models.parts.styles.equalized import BRANCH_GAIN, DoublingShortcut, EqualConv2d, EqualLinear
from ganctl.models.parts.styles.filters import doubling, halving
from ganctl.models.parts.styles.mapping import Mapping
from ganctl.models.parts.styles.modulation import ModulatedConv2d, ToPixels
from ganctl.processes.ranks import Ranks
from ganctl.registry import Spec
from ganctl.samples import SampleSpace

Architecture = Literal["orig", "skip", "residual"]
MEAN_DECAY = 0.995
"""The share of the mean style that is kept at each batch."""


class StyleBlocksSpec(Spec):
    """The blocks of either network, whose channels double with each halving up to `max_width`, and its mapping."""

    width: Width
    max_width: Width
    architecture: Architecture
    mapping: Annotated[int, Field(ge=1, le=16)]

    def width_at(self, doublings: int) -> int:
        """Return the channels after so many doublings of the width."""
        return min(self.width << doublings, self.max_width)


class Stylegan2GeneratorSpec(StyleBlocksSpec, GeneratorSpec):
    """The generator's blocks, styles and output."""

    style: Width
    mixing: Annotated[float, Field(ge=0, le=1)]


class Stylegan2DiscriminatorSpec(StyleBlocksSpec, DiscriminatorSpec):
    """The discriminator's blocks, without a norm; deviations are among `group` samples, None for all."""

    norm: Literal["none"]
    group: Annotated[int, Field(ge=1)] | None


class SynthesisBlock(nn.Module):
    """Doubles maps, unless it is the first, by one modulated convolution and adds another.

    It turns them into pixels if it is the `last`, or adds these to the images so far in the architecture skip.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        channels: int,
        style: int,
        sides: tuple[int, int],
        architecture: Architecture,
        *,
        first: bool,
        last: bool,
    ) -> None:
        super().__init__()
        self.conv0 = None if first else ModulatedConv2d(inputs, outputs, style, sides, doubles=True)
        self.conv1 = ModulatedConv2d(outputs, outputs, style, sides, doubles=False)
        residual, paints = architecture == "residual" and not first, architecture == "skip" or last
        self.shortcut = DoublingShortcut(inputs, outputs) if residual else None
        self.paint = ToPixels(outputs, channels, style) if paints else None
        self.enlarge = doubling() if paints and not first else None

    def forward(
        self, maps: Tensor, images: Tensor | None, styles: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """Return maps [batch, outputs, …] and images, None as long as there are none.

        `styles` are those of the convolutions, each [batch, width], and last that of the pixels.
        """
        hidden = maps if self.conv0 is None else self.conv0(maps, styles[0])
        if self.shortcut is None:
            hidden = self.conv1(hidden, styles[-2])
        else:
            hidden = self.conv1(hidden, styles[-2], BRANCH_GAIN) + self.shortcut(maps, BRANCH_GAIN)
        if self.paint is None:
            return hidden, images
        painted: Tensor = self.paint(hidden, styles[-1])
        if images is not None and self.enlarge is not None:
            painted = painted + self.enlarge(images)
        return hidden, painted


class Stylegan2Generator(StyledGenerator):
    """Maps latents to styles, by which convolutions turn a learned constant into images."""

    mean_style: Tensor

    def __init__(self, model: "Stylegan2", space: SampleSpace) -> None:
        super().__init__()
        spec = model.generator
        halvings, base = base_of(space, "stylegan2")
        self.latents, self.mixing = model.latent, spec.mixing
        self.mapping = Mapping(model.latents.width, len(space.classes), spec.style, spec.mapping)
        self.register_buffer("mean_style", torch.zeros(spec.style))
        inputs = spec.width_at(halvings)
        self.start = nn.Parameter(torch.randn(inputs, *base))
        self.blocks = nn.ModuleList()
        for level in range(halvings, -1, -1):
            outputs = spec.width_at(level)
            sides = (space.shape[1] >> level, space.shape[2] >> level)
            first, last = level == halvings, level == 0
            block = SynthesisBlock(
                inputs, outputs, space.shape[0], spec.style, sides, spec.architecture, first=first, last=last
            )
            self.blocks.append(block)
            inputs = outputs
        self.output = ACTIVATIONS[spec.output]()

    @property
    def styles_each(self) -> int:
        """Styles of a sample: one for each convolution, and one for the last pixels."""
        return 2 * len(self.blocks)

    def styles(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the styles of latents [batch, width], [batch, styles, width].

        In training their mean is followed, and of a share of samples the styles from a random one on are those of
        other latents: the batch's, by one place moved, with the same class and codes.
        """
        with torch.autocast(latents.device.type, enabled=False):
            styles: Tensor = self.mapping(latents, labels)
            if self.training:
                self.mean_style.lerp_(Ranks.here().mean(styles.detach().mean(0)), 1 - MEAN_DECAY)
            elif self.truncation != 1:
                styles = self.mean_style.lerp(styles, self.truncation)
            each = styles[:, None].expand(-1, self.styles_each, -1)
            if not self.training or self.mixing == 0:
                return each
            moved = torch.cat([latents[:, : self.latents].roll(1, 0), latents[:, self.latents :]], 1)
            return torch.where(self._mixed(latents), self.mapping(moved, labels)[:, None], each)

    def _mixed(self, latents: Tensor) -> Tensor:
        """Return which styles are mixed in, bool [batch, styles, 1]."""
        count, where = self.styles_each, latents.device
        first = torch.randint(1, count, (len(latents), 1, 1), device=where)
        chosen = torch.rand(len(latents), 1, 1, device=where) < self.mixing
        return chosen & (torch.arange(count, device=where)[:, None] >= first)

    def entrance(self, width: int) -> Tensor:
        """Return the weights of the layers that turn styles into scales, one after the other, [values, style]."""
        scaling = [module for module in self.blocks.modules() if isinstance(module, ModulatedConv2d | ToPixels)]
        return torch.cat([module.affine.weight * module.affine.weight_gain for module in scaling])

    def synthesise(self, styles: Tensor) -> Tensor:
        """Return images [batch, channels, height, width] of styles [batch, styles, width]."""
        each = styles.unbind(1)
        maps = self.start.expand(styles.shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)
        images, taken = None, 0
        for block in self.blocks:
            used = 1 if block.conv0 is None else 2
            maps, images = block(maps, images, each[taken : taken + used + 1])
            taken += used  # the next block begins with the style of these pixels
        painted: Tensor = self.output(images)
        return painted


class HalvingBlock(nn.Module):
    """Halves maps by two convolutions; pixels come into the `first` block, or all in the architecture skip."""

    def __init__(
        self, inputs: int, outputs: int, channels: int, architecture: Architecture, *, first: bool
    ) -> None:
        super().__init__()
        skip = architecture == "skip"
        self.read = EqualConv2d(channels, inputs, 1) if first or skip else None
        self.conv0 = EqualConv2d(inputs, inputs, 3)
        self.conv1 = EqualConv2d(inputs, outputs, 3, halves=True)
        self.shortcut: nn.Module | None = None
        if architecture == "residual":
            self.shortcut = EqualConv2d(inputs, outputs, 1, active=False, halves=True)
        self.shrink = halving() if skip else None

    def forward(self, maps: Tensor | None, images: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return maps [batch, outputs, …] and images of half the side; no maps go into the first block."""
        if self.read is not None:
            read = self.read(images)
            maps = read if maps is None else maps + read
        assert maps is not None
        images = self.shrink(images) if self.shrink is not None else None
        if self.shortcut is None:
            return self.conv1(self.conv0(maps)), images
        return self.conv1(self.conv0(maps), BRANCH_GAIN) + self.shortcut(maps, BRANCH_GAIN), images


class Stylegan2Discriminator(Discriminator):
    """Halves images to the base, where each sample is also told how varied its group is.

    The logit of a class is the product of the last layer and a mapped embedding of the class (Karras et al. 2020b,
    appendix B; projection: Miyato and Koyama 2018).
    """

    def __init__(self, model: "Stylegan2", space: SampleSpace) -> None:
        super().__init__()
        spec = model.discriminator
        channels, classes = space.shape[0], len(space.classes)
        halvings, (height, width) = base_of(space, "stylegan2")
        self.blocks = nn.ModuleList()
        for level in range(halvings):
            inputs, outputs = spec.width_at(level), spec.width_at(level + 1)
            block = HalvingBlock(inputs, outputs, channels, spec.architecture, first=level == 0)
            self.blocks.append(block)
        inputs = spec.width_at(halvings)
        self.read = EqualConv2d(channels, inputs, 1) if spec.architecture == "skip" else None
        self.deviation = MinibatchDeviation(spec.group)
        self.conv = EqualConv2d(inputs + 1, inputs, 3)
        self.dense = EqualLinear(inputs * height * width, inputs, active=True)
        projects = bool(classes) and spec.condition == "projection"
        self.mapping = Mapping(0, classes, inputs, spec.mapping) if projects else None
        self.judge = EqualLinear(inputs, inputs if projects else 1)
        classified = 0 if projects else classes
        self.heads = Heads(inputs, classified, spec.condition, model.latents, lambda layer: layer)

    def features(self, samples: Tensor) -> Tensor:
        """Return the outputs of the last hidden layer, [batch, channels]."""
        maps, images = None, samples
        for block in self.blocks:
            maps, images = block(maps, images)
        if self.read is not None:
            maps = maps + self.read(images)
        maps = self.conv(self.deviation(maps))
        features: Tensor = self.dense(maps.flatten(1))
        return features

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [batch]."""
        judged: Tensor = self.judge(features)
        if self.mapping is None:
            return judged.squeeze(1)
        assert labels is not None, "a projection discriminator needs labels"
        with torch.autocast(features.device.type, enabled=False):
            asked: Tensor = self.mapping(None, labels)
        logits: Tensor = (judged * asked).sum(1) * float(judged.shape[1] ** -0.5)
        return logits

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the weights of its layers, or blocks of layers, from the samples on, but none of the class."""
        mapped = set() if self.mapping is None else set(self.mapping.parameters())
        return [stage for stage in super().stages() if mapped.isdisjoint(stage)]


@MODELS.register
class Stylegan2(Model):
    """StyleGAN2 for images whose smaller side is 4–7 times a power of two pixels, from 8 to 1,024."""

    networks = (Stylegan2Generator, Stylegan2Discriminator)
    name: Literal["stylegan2"]
    generator: Stylegan2GeneratorSpec
    discriminator: Stylegan2DiscriminatorSpec
