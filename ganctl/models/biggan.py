"""BigGAN (Brock et al. 2019, appendix B): latents and classes enter every block of the generator."""

from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import spectral_norm

from ganctl.errors import ConfigError
from ganctl.models.layers import ACTIVATIONS, Norm, Width
from ganctl.models.model import MODELS, Discriminator, DiscriminatorSpec, Generator, GeneratorSpec, Model
from ganctl.models.parts.attention import SelfAttention, attended
from ganctl.models.parts.batch_norm import BatchNorm2d
from ganctl.models.parts.convolutions import Conv2d
from ganctl.models.parts.heads import Heads
from ganctl.models.parts.residual import (
    BlocksSpec,
    ConditionalBatchNorm,
    DiscriminatorBlock,
    GeneratorBlock,
    Prepare,
)
from ganctl.models.parts.sizes import base_of
from ganctl.samples import SampleSpace

CHANNELS = {
    3: (4, 4, 4, 4),
    4: (16, 8, 4, 2, 1),
    5: (16, 16, 8, 4, 2, 1),
    6: (16, 16, 8, 8, 4, 2, 1),
}
"""Channels of the generator's maps, from the base on, in widths, by how often an image is halved."""

JUDGED = {3: (2, 2, 2, 2)}
"""Those of the discriminator's maps, from the first block on, where they are not the generator's backwards."""

EPS = 1e-4
"""What is added to a variance in batch norm (as in the authors' code)."""


class BigganGeneratorSpec(BlocksSpec, GeneratorSpec):
    """The generator's blocks and output."""


class BigganDiscriminatorSpec(BlocksSpec, DiscriminatorSpec):
    """The discriminator's blocks and condition; without spectral norm it is a critic for a gradient penalty."""

    norm: Literal["spectral", "none"]


def prepared(layer: nn.Module, gain: float = 1.0, *, norm: Norm = "spectral") -> nn.Module:
    """Return a layer with orthogonal weights (Saxe et al. 2014), whatever `gain`, and wrap it if so normalised."""
    nn.init.orthogonal_(layer.weight)  # type: ignore[arg-type]
    if getattr(layer, "bias", None) is not None:
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return spectral_norm(layer) if norm == "spectral" else layer


def attention_after(
    key: str, least: int | None, sides: list[int], channels: list[int], prepare: Prepare = prepared
) -> nn.ModuleList:
    """Return what follows each block: attention at the smallest maps whose side is `least` or more, or nothing."""
    chosen = attended(key, least, sides)
    return nn.ModuleList(
        SelfAttention(width, prepare) if level == chosen else nn.Identity() for level, width in enumerate(channels)
    )


class BigganGenerator(Generator):
    """Doubles a base of 4–7 pixels by residual blocks, each modulated by a part of the latents and the class.

    The first part of the latents makes the base. Codes are mixed into all latents.
    """

    def __init__(self, model: "BigganModel", space: SampleSpace) -> None:
        super().__init__()
        spec = model.generator
        halvings, (height, width) = base_of(space, model.name, CHANNELS)
        channels = [spec.width * share for share in CHANNELS[halvings]]
        self.base = (channels[0], height, width)
        self.parts = model.parts(halvings)
        codes, classes = model.latents.codes, len(space.classes)
        self.mix = prepared(nn.Linear(model.latents.width, model.latent)) if codes else nn.Identity()
        self.embedding = nn.Embedding(classes, model.embedding) if classes else None
        if self.embedding is not None:
            nn.init.orthogonal_(self.embedding.weight)
        condition = self.parts[-1] + (model.embedding if classes else 0)

        def norm(channels: int) -> ConditionalBatchNorm:
            gain, shift = (prepared(nn.Linear(condition, channels, bias=False)) for _ in range(2))
            return ConditionalBatchNorm(channels, gain, shift, EPS)

        self.project = prepared(nn.Linear(self.parts[0], channels[0] * height * width))
        self.blocks = nn.ModuleList(
            GeneratorBlock(inputs, outputs, norm, prepared, "nearest") for inputs, outputs in pairwise(channels)
        )
        sides = [min(height, width) << level for level in range(1, halvings + 1)]
        self.attention = attention_after("model.generator.attention", spec.attention, sides, channels[1:])
        self.norm = BatchNorm2d(channels[-1], EPS)
        self.paint = prepared(Conv2d(channels[-1], space.shape[0], 3, padding=1))
        self.output = ACTIVATIONS[spec.output]()

    def entrance(self, width: int) -> Tensor:
        """Return the weights by which each part of the latents makes the base or modulates its block."""
        entered = [(self.project, self.parts[0]), *zip(self.blocks, self.parts[1:], strict=True)]
        weights = [
            torch.cat([dense.weight[:, -part:] for dense in module.modules() if isinstance(dense, nn.Linear)])
            for module, part in entered
        ]
        whole: Tensor = torch.block_diag(*weights)
        if isinstance(self.mix, nn.Linear):
            whole = whole @ self.mix.weight
        return whole

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images [batch, channels, height, width]."""
        first, *parts = self.mix(latents).split(self.parts, 1)
        if self.embedding is not None:
            assert labels is not None, "a conditional generator needs labels"
            embedded = self.embedding(labels).to(first.dtype)
            parts = [torch.cat([embedded, part], 1) for part in parts]
        maps = self.project(first).unflatten(1, self.base).contiguous(memory_format=torch.channels_last)
        for block, attention, part in zip(self.blocks, self.attention, parts, strict=True):
            maps = attention(block(maps, part))
        images: Tensor = self.output(self.paint(relu(self.norm(maps), inplace=True)))
        return images


class BigganDiscriminator(Discriminator):
    """Halves images by residual blocks, of whose last maps it sums the pixels."""

    def __init__(self, model: "BigganModel", space: SampleSpace) -> None:
        super().__init__()
        spec = model.discriminator
        halvings, _ = base_of(space, model.name, CHANNELS)
        shares = JUDGED.get(halvings, CHANNELS[halvings][::-1])
        halved = [level < halvings - (halvings in JUDGED) for level in range(len(shares))]
        channels = [space.shape[0], *(spec.width * share for share in shares)]
        prepare = partial(prepared, norm=spec.norm)
        block = partial(DiscriminatorBlock, prepare=prepare)
        self.blocks = nn.ModuleList(
            block(inputs, outputs, hidden=outputs, halves=halves, first=level == 0)
            for level, ((inputs, outputs), halves) in enumerate(zip(pairwise(channels), halved, strict=True))
        )
        sides = [min(space.shape[1:]) >> sum(halved[: level + 1]) for level in range(len(shares))]
        key = "model.discriminator.attention"
        self.attention = attention_after(key, spec.attention, sides, channels[1:], prepare)
        self.judge = prepare(nn.Linear(channels[-1], 1))
        self.heads = Heads(channels[-1], len(space.classes), spec.condition, model.latents, prepare)

    def features(self, samples: Tensor) -> Tensor:
        """Return sums of the last maps over their pixels, [batch, channels]."""
        maps = samples
        for block, attention in zip(self.blocks, self.attention, strict=True):
            maps = attention(block(maps))
        return relu(maps, inplace=True).sum((2, 3))

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [batch]."""
        return self.heads.conditioned(self.judge(features).flatten(), features, labels)


class BigganModel(Model):
    """What has BigGAN's generator; `embedding` are the dimensions of a class that all blocks share."""

    embedding: Width
    generator: BigganGeneratorSpec
    discriminator: BigganDiscriminatorSpec

    @property
    def lipschitz(self) -> bool:
        """Whether every layer of the discriminator is spectrally normalised."""
        return self.discriminator.norm == "spectral"

    def parts(self, blocks: int) -> list[int]:
        """Return how many latents the base and each block get: equal parts, what is left over for the base.

        Raises `ConfigError` if there are too few.
        """
        part = self.latent // (blocks + 1)
        if part == 0:
            raise ConfigError(
                f"model.latent: {self.latent} cannot be split over the base and {blocks} blocks; "
                f"take {blocks + 1} or more"
            )
        return [self.latent - part * blocks, *[part] * blocks]


@MODELS.register
class Biggan(BigganModel):
    """BigGAN for images whose smaller side is 4–7 times 8, 16, 32 or 64 pixels, up to 256."""

    networks = (BigganGenerator, BigganDiscriminator)
    name: Literal["biggan"]
