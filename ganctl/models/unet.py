"""U-Net GAN (Schönfeld et al. 2020): BigGAN's generator, and a discriminator that judges each pixel, too."""

from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from ganctl.models.biggan import CHANNELS, JUDGED, BigganGenerator, BigganModel, attention_after, prepared
from ganctl.models.model import MODELS, Discriminator
from ganctl.models.parts.convolutions import Conv2d
from ganctl.models.parts.heads import Heads
from ganctl.models.parts.resampling import DoublingConv2d, enlarged
from ganctl.models.parts.residual import DiscriminatorBlock, Prepare
from ganctl.models.parts.sizes import base_of
from ganctl.samples import SampleSpace


class DoublingBlock(nn.Module):
    """Adds to its input, repeated to 2×2, two 3×3 convolutions, each after a ReLU."""

    def __init__(self, inputs: int, outputs: int, prepare: Prepare) -> None:
        super().__init__()
        self.conv1 = prepare(DoublingConv2d(inputs, outputs), 1.0)
        self.conv2 = prepare(Conv2d(outputs, outputs, 3, padding=1), 1.0)
        self.shortcut = prepare(Conv2d(inputs, outputs, 1), 1.0)

    def forward(self, maps: Tensor) -> Tensor:
        """Return [batch, outputs, 2 height, 2 width] of maps [batch, inputs, height, width]."""
        hidden = self.conv2(relu(self.conv1(relu(maps)), inplace=True))
        added: Tensor = hidden + enlarged(self.shortcut(maps), "nearest")
        return added


class UnetDiscriminator(Discriminator):
    """Halves images by BigGAN's blocks, judges the sum of the last maps, and doubles these again to the pixels.

    Each doubling but the first also sees the encoder's maps of its side. The encoder has those of BigGAN's blocks
    that halve. Features are the sums of the encoder's last maps over their pixels, and the decoder's last maps.
    """

    def __init__(self, model: "Unet", space: SampleSpace) -> None:
        super().__init__()
        spec = model.discriminator
        halvings, _ = base_of(space, model.name, CHANNELS)
        shares = JUDGED.get(halvings, CHANNELS[halvings][::-1])[:halvings]
        channels = [space.shape[0], *(spec.width * share for share in shares)]
        prepare = partial(prepared, norm=spec.norm)
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(inputs, outputs, prepare, hidden=outputs, halves=True, first=level == 0)
            for level, (inputs, outputs) in enumerate(pairwise(channels))
        )
        sides = [min(space.shape[1:]) >> level for level in range(1, halvings + 1)]
        key = "model.discriminator.attention"
        self.attention = attention_after(key, spec.attention, sides, channels[1:], prepare)
        self.judge = prepare(nn.Linear(channels[-1], 1))
        outputs = [*channels[-2:0:-1], channels[1]]
        inputs = [channels[-1], *(2 * width for width in outputs[:-1])]
        self.decoder = nn.ModuleList(DoublingBlock(*each, prepare) for each in zip(inputs, outputs, strict=True))
        self.sizes = channels[-1], outputs[-1], *space.shape[1:]
        self.judge_pixels = nn.Conv2d(outputs[-1], 1, 1)  # without spectral norm, as the authors'
        classes = len(space.classes)
        projects = classes and spec.condition == "projection"
        self.embedding = prepare(nn.Embedding(classes, outputs[-1])) if projects else None
        self.heads = Heads(channels[-1], classes, spec.condition, model.latents, prepare)

    def features(self, samples: Tensor) -> Tensor:
        """Return the sums of the encoder's last maps, then the decoder's last maps, [batch, values]."""
        maps, seen = samples, []
        for block, attention in zip(self.blocks, self.attention, strict=True):
            maps = attention(block(maps))
            seen.append(maps)
        sums = relu(maps).sum((2, 3))
        seen.pop()
        for number, block in enumerate(self.decoder):
            maps = block(torch.cat([maps, seen.pop()], 1) if number else maps)
        return torch.cat([sums, maps.permute(0, 2, 3, 1).flatten(1)], 1)

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return the encoder's logit, repeated, and the decoder's of each pixel by rows, [2, pixels, batch]."""
        encoder, width, *sides = self.sizes
        sums, pixels = features[:, :encoder], features[:, encoder:]
        maps = pixels.unflatten(1, (*sides, width)).permute(0, 3, 1, 2)
        whole = self.heads.conditioned(self.judge(sums).flatten(), sums, labels)
        each = self.judge_pixels(maps).flatten(1)
        if self.embedding is not None:
            embedded = self.embedding(labels).to(maps.dtype)
            each = each + (embedded[:, :, None, None] * maps).sum(1).flatten(1)
        return torch.stack([whole.expand(each.shape[1], -1), each.t()])

    def summary(self, features: Tensor) -> Tensor:
        """Return the sums of the encoder's last maps, [batch, channels]."""
        return features[:, : self.sizes[0]]


@MODELS.register
class Unet(BigganModel):
    """BigGAN with a U-Net as discriminator, for the same images."""

    networks = (BigganGenerator, UnetDiscriminator)
    name: Literal["unet"]

    @property
    def lipschitz(self) -> bool:
        """Whether every layer is spectrally normalised: the last of the pixels is not."""
        return False

    @property
    def judges_pixels(self) -> bool:
        """Whether the second kind of logits are those of pixels: they are."""
        return True
