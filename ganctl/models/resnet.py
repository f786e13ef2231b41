"""Residual networks by numbers: SNGAN (Miyato et al. 2018), WGAN-GP (Gulrajani et al. 2017), cGAN-PD, SAGAN."""

import math
from functools import partial
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import spectral_norm

from ganctl.models.layers import ACTIVATIONS, NORMS, Width
from ganctl.models.model import MODELS, Discriminator, DiscriminatorSpec, Generator, GeneratorSpec, Model
from ganctl.models.parts.attention import SelfAttention, attended
from ganctl.models.parts.batch_norm import BatchNorm2d
from ganctl.models.parts.convolutions import Conv2d
from ganctl.models.parts.heads import Heads
from ganctl.models.parts.resampling import Upsample
from ganctl.models.parts.residual import BlocksSpec, ConditionalBatchNorm, DiscriminatorBlock, GeneratorBlock
from ganctl.models.parts.sizes import LARGEST, base_of
from ganctl.samples import SampleSpace


class WideningBlocksSpec(BlocksSpec):
    """Residual blocks whose channels double up to `max_width`."""

    max_width: Width

    def width_at(self, doublings: int) -> int:
        """Return the channels after so many doublings of the width."""
        return min(self.width << doublings, self.max_width)


class ResnetGeneratorSpec(WideningBlocksSpec, GeneratorSpec):
    """The generator's blocks and output."""

    upsample: Upsample
    spectral: bool


class ResnetDiscriminatorSpec(WideningBlocksSpec, DiscriminatorSpec):
    """The discriminator's blocks, of which `blocks` come after the last halving."""

    base: Annotated[int, Field(ge=1, le=LARGEST)]
    blocks: Annotated[int, Field(ge=0, le=16)]
    norm: Literal["spectral", "layer", "none"]


def prepared(layer: nn.Module, gain: float, *, spectral: bool) -> nn.Module:
    """Initialise a layer's weight by Glorot and Bengio's uniform distribution and its bias by 0, and wrap it."""
    nn.init.xavier_uniform_(layer.weight, gain)  # type: ignore[arg-type]
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return spectral_norm(layer) if spectral else layer


def _halvings(height: int, width: int, base: int) -> int:
    """Return how often blocks halve both sides: until the smaller is at most `base`, or one is odd."""
    halvings = 1
    while min(height, width) >> halvings > base and (height | width) >> halvings & 1 == 0:
        halvings += 1
    return halvings


class ResnetGenerator(Generator):
    """Projects latents to a base of 4–7 pixels and doubles it by residual blocks, whose norms know the class."""

    def __init__(self, model: "Resnet", space: SampleSpace) -> None:
        super().__init__()
        spec = model.generator
        halvings, base = base_of(space, "resnet")
        prepare = partial(prepared, spectral=spec.spectral)
        norms = partial(ConditionalBatchNorm.of_classes, classes=len(space.classes))
        channels, least = space.shape[0], min(space.shape[1:])
        levels = range(halvings - 1, -1, -1)
        inputs = spec.width_at(halvings)
        self.base = (inputs, *base)
        self.project = prepare(nn.Linear(model.latents.width, math.prod(self.base)), 1.0)
        self.blocks = nn.ModuleList()
        chosen = attended("model.generator.attention", spec.attention, [least >> level for level in levels])
        for number, level in enumerate(levels):
            outputs = spec.width_at(level)
            self.blocks.append(GeneratorBlock(inputs, outputs, norms, prepare, spec.upsample))
            if number == chosen:
                self.blocks.append(SelfAttention(outputs, prepare))
            inputs = outputs
        self.norm = BatchNorm2d(inputs)
        self.pixels = prepare(Conv2d(inputs, channels, 3, padding=1), 1.0)
        self.output = ACTIVATIONS[spec.output]()

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images [batch, channels, height, width]."""
        maps = self.project(latents).unflatten(1, self.base).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            maps = block(maps) if isinstance(block, SelfAttention) else block(maps, labels)
        images: Tensor = self.output(self.pixels(relu(self.norm(maps), inplace=True)))
        return images


class ResnetDiscriminator(Discriminator):
    """Halves images by residual blocks, goes on at the base, and sums each channel over the pixels."""

    def __init__(self, model: "Resnet", space: SampleSpace) -> None:
        super().__init__()
        spec = model.discriminator
        base_of(space, "resnet")
        prepare = partial(prepared, spectral=spec.norm == "spectral")
        norms = NORMS["layer", 2] if spec.norm == "layer" else nn.Identity
        inputs, height, width = space.shape
        halvings = _halvings(height, width, spec.base)
        sides = [min(height, width) >> level for level in range(1, halvings + 1)]
        chosen = attended("model.discriminator.attention", spec.attention, sides)
        self.blocks = nn.Sequential()
        for level in range(halvings + spec.blocks):
            outputs = spec.width_at(level)
            block = DiscriminatorBlock(
                inputs,
                outputs,
                prepare,
                hidden=inputs if level else outputs,
                halves=level < halvings,
                first=level == 0,
                norms=norms,
            )
            self.blocks.append(block)
            if level == chosen:
                self.blocks.append(SelfAttention(outputs, prepare))
            inputs = outputs
        self.judge = prepare(nn.Linear(inputs, 1), 1.0)
        self.heads = Heads(inputs, len(space.classes), spec.condition, model.latents, partial(prepare, gain=1.0))

    def features(self, samples: Tensor) -> Tensor:
        """Return sums over the pixels of the last block's channels, [batch, channels]."""
        return relu(self.blocks(samples), inplace=True).sum((2, 3))

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [batch]."""
        logits: Tensor = self.judge(features)
        return self.heads.conditioned(logits.squeeze(1), features, labels)


@MODELS.register
class Resnet(Model):
    """Residual networks of images whose sides halve until the smaller is 4–7 pixels, up to 1,024."""

    networks = (ResnetGenerator, ResnetDiscriminator)
    name: Literal["resnet"]
    generator: ResnetGeneratorSpec
    discriminator: ResnetDiscriminatorSpec

    @property
    def lipschitz(self) -> bool:
        """Whether every layer of the discriminator is spectrally normalised."""
        return self.discriminator.norm == "spectral"
