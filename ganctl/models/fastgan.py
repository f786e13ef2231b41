"""FastGAN (Liu et al. 2021): few images, large sides; excitation across layers, a discriminator that decodes."""

from itertools import zip_longest
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ganctl.models.layers import ACTIVATIONS, LatentsAndClass, Width
from ganctl.models.model import MODELS, Discriminator, DiscriminatorSpec, Generator, GeneratorSpec, Model
from ganctl.models.parts.convolutions import ConvTranspose2d
from ganctl.models.parts.gated import (
    SLOPE,
    Excitation,
    Halving,
    HalvingPair,
    batch_norm,
    convolution,
    doubling,
    gated,
    normalised,
)
from ganctl.models.parts.heads import Heads
from ganctl.models.parts.sizes import base_of
from ganctl.samples import SampleSpace

HALVINGS = range(3, 9)
"""How often the smaller side of an image can be halved; the authors' code has 6, 7 and 8."""

SHARES = (16, 8, 4, 2, 2, 1, 1 / 2, 1 / 4, 1 / 8)
"""Channels of the generator's maps, from the base on, in widths."""

SOURCES = 4
"""Maps of the generator that excite others, from the base on; those have 16 times the side."""

DECODED = (128, 64, 64, 32)
"""Channels of a decoder's maps, from twice the base on."""

Shape = tuple[int, ...]


class FastganGeneratorSpec(GeneratorSpec):
    """The generator's width and output."""

    width: Width


class FastganDiscriminatorSpec(DiscriminatorSpec):
    """The discriminator's width, its norm on top of spectral norm, and whether it has decoders.

    These are what `auxiliary=[reconstruction]` trains.
    """

    width: Width
    norm: Literal["batch", "none"]
    decoders: bool


class FastganGenerator(Generator):
    """Doubles a base of 4–7 pixels by gated convolutions; small maps excite maps of 16 times their side.

    Blocks of one convolution and of two noisy ones take turns. Without the head of the authors' code that makes a
    second image of 128 pixels: this discriminator sees the image resized.
    """

    def __init__(self, model: "Fastgan", space: SampleSpace) -> None:
        super().__init__()
        spec = model.generator
        halvings, base = base_of(space, "fastgan", HALVINGS)
        channels = [max(1, int(spec.width * share)) for share in SHARES[: halvings + 1]]
        self.join = LatentsAndClass(model.latents.width, len(space.classes), model.embedding)
        self.project = normalised(ConvTranspose2d(self.join.width, 2 * channels[0], base, bias=False))
        self.norm = batch_norm(2 * channels[0])
        self.blocks = nn.ModuleList(
            doubling(channels[level], channels[level + 1], noisy=level % 2 == 0) for level in range(halvings)
        )
        sources = range(min(SOURCES, halvings - 3))
        self.excitations = nn.ModuleList(Excitation(channels[level], channels[level + 4]) for level in sources)
        self.pixels = convolution(channels[-1], space.shape[0], 3, 1, 1)
        self.output = ACTIVATIONS[spec.output]()

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images [batch, channels, height, width]."""
        joined = self.join(latents, labels)
        maps = self.project(joined[:, :, None, None]).contiguous(memory_format=torch.channels_last)
        seen = [gated(self.norm(maps))]
        for level, block in enumerate(self.blocks):
            maps = block(seen[level])
            if 0 <= (source := level - 3) < len(self.excitations):
                maps = self.excitations[source](seen[source], maps)
            seen.append(maps)
        images: Tensor = self.output(self.pixels(seen[-1]))
        return images


class Decoder(nn.Sequential):
    """Makes images of features by `doublings` gated convolutions."""

    def __init__(self, inputs: int, channels: int, doublings: int, output: str) -> None:
        widths = [inputs, *DECODED[:doublings]]
        super().__init__(
            *[doubling(widths[level], widths[level + 1], noisy=False) for level in range(doublings)],
            convolution(widths[-1], channels, 3, 1, 1),
            ACTIVATIONS[output](),
        )


class FastganDiscriminator(Discriminator):
    """Judges patches of the image, and of the image at half the side (128 pixels at most).

    Each is halved to twice the base; large maps excite those of an eighth of their side. Features are the last
    maps of both, and with decoders the large image's maps before those.
    """

    def __init__(self, model: "Fastgan", space: SampleSpace) -> None:
        super().__init__()
        spec = model.discriminator
        halvings, (height, width) = base_of(space, "fastgan", HALVINGS)
        colours, wide = space.shape[0], spec.width
        self.doublings = min(len(DECODED), halvings - 2)
        self.shrink = 1 << (halvings - 1 - self.doublings)
        pairs = min(5, halvings - 1)
        channels = [max(1, 8 * wide >> pairs - level) for level in range(pairs + 1)]
        self.stem = self._stem(colours, channels[0], halvings - 1 - pairs)
        self.blocks = nn.ModuleList(HalvingPair(channels[i], channels[i + 1]) for i in range(pairs))
        self.excitations = nn.ModuleList(
            Excitation(channels[level], channels[level + 3]) for level in range(pairs - 2)
        )
        narrow = [max(1, 4 * wide >> self.doublings - 1 - level) for level in range(self.doublings)]
        self.small = self._stem(colours, narrow[0], 1)
        self.small.extend(Halving(narrow[i], narrow[i + 1]) for i in range(self.doublings - 1))
        self.patches = nn.Sequential(
            convolution(channels[-1], 2 * channels[-1], 1),
            batch_norm(2 * channels[-1]),
            nn.LeakyReLU(SLOPE, inplace=True),
            convolution(2 * channels[-1], 1, 4),
        )
        self.small_patches = convolution(narrow[-1], 1, 4)
        self.shapes: list[Shape] = [
            (channels[-1], 2 * height, 2 * width),
            (narrow[-1], 2 * height, 2 * width),
        ]
        self.decoders = nn.ModuleList()
        if spec.decoders:
            bounded = "sigmoid" if model.generator.output == "sigmoid" else "tanh"
            self.shapes.append((channels[-2], 4 * height, 4 * width))
            self.decoders.extend(Decoder(shape[0], colours, self.doublings, bounded) for shape in self.shapes)
        self.heads = Heads(channels[-1], len(space.classes), spec.condition, model.latents, normalised)
        if spec.norm == "none":
            leave_out_norms(self)

    @staticmethod
    def _stem(colours: int, channels: int, halvings: int) -> nn.Sequential:
        """Return the first layers of an image, which halve it so often (0–2)."""
        first = channels // 2 if halvings == 2 else channels
        kernel, stride = (4, 2) if halvings else (3, 1)
        conv = convolution(colours, max(1, first), kernel, stride, 1)
        further = [Halving(max(1, first), channels)] if halvings == 2 else []
        return nn.Sequential(conv, nn.LeakyReLU(SLOPE, inplace=True), *further)

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the weights of both images' first layers, of their blocks side by side, and of the rest."""
        first, *small = (each for each in self.small if any(True for _ in each.parameters()))
        blocks = zip_longest(self.blocks, [None, None, *self.excitations], small)
        groups = [[self.stem, first], *blocks, [self.patches, self.small_patches, self.decoders]]
        return [[weight for each in group if each is not None for weight in each.parameters()] for group in groups]

    def features(self, samples: Tensor) -> Tensor:
        """Return the maps of both images, flattened one after the other, [batch, values]."""
        seen = [self.stem(samples)]
        for level, block in enumerate(self.blocks):
            maps = block(seen[level])
            if level >= 2:
                maps = self.excitations[level - 2](seen[level - 2], maps)
            seen.append(maps)
        small = self.small(avg_pool2d(samples, self.shrink))
        kept = [seen[-1], small, *seen[-2:-1]][: len(self.shapes)]
        return torch.cat([maps.permute(0, 2, 3, 1).flatten(1) for maps in kept], 1)

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the logits of all patches, the large image's first, [patches, batch]."""
        large, small = self._maps(features)[:2]
        patches = [self.patches(large).flatten(1), self.small_patches(small).flatten(1)]
        logits = torch.cat(patches, 1).t()
        return self.heads.conditioned(logits, self.summary(features), labels)

    def summary(self, features: Tensor) -> Tensor:
        """Return the large image's last maps' means, [batch, channels]."""
        return self._maps(features)[0].mean((2, 3))

    def reconstructed(self, features: Tensor, samples: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the decoders make of both images' last maps and of a quarter of those before; and samples.

        [3, batch, channels, height, width], as the small image. `numbers` in [0, 1), [batch], say which quarter.
        """
        large, small, before = self._maps(features)
        places = (numbers * 4).long()
        maps = [large, small, quarters(before, places)]
        made = torch.stack([decoder(each) for decoder, each in zip(self.decoders, maps, strict=True)])
        whole = avg_pool2d(samples, self.shrink)
        return made, torch.stack([whole, whole, avg_pool2d(quarters(samples, places), self.shrink // 2)])

    def _maps(self, features: Tensor) -> list[Tensor]:
        """Return the maps that features are made of."""
        sizes = [channels * height * width for channels, height, width in self.shapes]
        return [
            values.unflatten(1, (height, width, channels)).permute(0, 3, 1, 2)
            for values, (channels, height, width) in zip(features.split(sizes, 1), self.shapes, strict=True)
        ]


def leave_out_norms(network: nn.Module) -> None:
    """Put nothing in the place of each batch norm."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())


def quarters(images: Tensor, places: Tensor) -> Tensor:
    """Return one quarter of each image [batch, channels, height, width]; `places`, int64 [batch], 0–3 by rows."""
    cut = images.unflatten(3, (2, -1)).unflatten(2, (2, -1)).permute(0, 2, 4, 3, 5, 1)
    each = torch.arange(len(images), device=images.device)
    chosen: Tensor = cut[each, places // 2, places % 2].permute(0, 3, 1, 2)
    return chosen


@MODELS.register
class Fastgan(Model):
    """FastGAN for images whose smaller side is 4–7 times 8, 16, …, 256 pixels, up to 1,024.

    `embedding` are the dimensions of a class beside the latents.
    """

    networks = (FastganGenerator, FastganDiscriminator)
    name: Literal["fastgan"]
    embedding: Width
    generator: FastganGeneratorSpec
    discriminator: FastganDiscriminatorSpec

    @property
    def mixes_samples(self) -> bool:
        """Whether the discriminator has batch norm."""
        return self.discriminator.norm == "batch"

    @property
    def reconstructs(self) -> bool:
        """Whether the discriminator has decoders."""
        return self.discriminator.decoders
