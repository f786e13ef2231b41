"""A network for colour images whose first layer whitens patches, and how it is taught within minutes."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import gelu, max_pool2d, relu

from ganctl.augment.flip_shift import flip_and_shift
from ganctl.data.store import Store
from ganctl.metrics.features.teaching import CPU, batches_of, learn, resized, unit
from ganctl.registry import Spec
from ganctl.runtime.randomness import generator

KERNEL = 3
"""Side of the patches that are whitened, in pixels."""

COMPONENTS = 12
"""The most principal components of patches that are kept, those of the largest variance."""

PATCHED = 5000
"""Images whose patches are measured."""

SMALLEST = 5e-4
"""Added to the variance of each principal component, so that noise is not blown up."""

SCALE = 0.3
"""Of the logits: a larger one makes the first updates harsh."""

RISE, START, END = 0.25, 0.2, 0.01
"""Share of the updates in which the learning rate rises, and its first and last value as shares of the highest."""


class Whitened(Spec):
    """A first layer that is computed, not learned, blocks of convolutions, and one cycle of SGD.

    Whitened patches are those of Coates et al. 2011 (section 3.1); flips, shifts and one cycle of the rate are the
    usual means of teaching CIFAR-10 fast (Page 2019; Jordan 2024).
    """

    widths: Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=1, max_length=5)]
    steps: Annotated[int, Field(ge=1, le=10_000_000)]
    batch_size: Annotated[int, Field(ge=2, le=65_536)]
    lr: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[float, Field(ge=0)]
    smoothing: Annotated[float, Field(ge=0, lt=1)]

    def teach(self, network: "WhitenedNetwork", labelled: Store, taught: Tensor, seed: int) -> None:
        """Whiten patches of the images in such rows of a store, and learn their labels by Nesterov's SGD."""
        assert labelled.labels is not None
        network.whiten(labelled.samples[taught[:PATCHED]])
        batches = batches_of(labelled, self.batch_size, seed, taught)
        learned = [weight for weight in network.parameters() if weight.requires_grad]
        groups = [
            {"params": [weight for weight in learned if weight.dim() > 1], "weight_decay": self.weight_decay},
            {"params": [weight for weight in learned if weight.dim() == 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.SGD(groups, self.lr, momentum=0.85, nesterov=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: cycle(step / self.steps))
        drawn = generator(CPU, "classifier", "moved", seed)

        def moved(images: Tensor) -> Tensor:
            return flip_and_shift(images, torch.rand(len(images), 3, generator=drawn))

        learn(network, labelled.labels, batches, optimizer, schedule, self.steps, moved, self.smoothing)


def cycle(share: float) -> float:
    """Return the factor of the learning rate after a share of the updates: up to 1, and down."""
    if share < RISE:
        return START + (1 - START) * share / RISE
    return 1 + (END - 1) * (share - RISE) / (1 - RISE)


class WhitenedNetwork(nn.Module):
    """Whitened patches, blocks that halve the sides, the maximum over pixels, one linear layer.

    Maps images [n, channels, height, width] in [0, 1] to features [n, last width] and logits [n, classes]. Larger
    images are first resized to `side` pixels.
    """

    def __init__(self, channels: int, classes: int, widths: list[int], side: int) -> None:
        super().__init__()
        self.side = side
        self.dimension = widths[-1]
        components = min(COMPONENTS, channels * KERNEL * KERNEL)
        self.patches = nn.Conv2d(channels, 2 * components, KERNEL, 2, KERNEL // 2).requires_grad_(False)
        inputs = [2 * components, *widths]
        self.blocks = nn.Sequential(*map(PoolingBlock, inputs, widths))
        self.head = nn.Linear(self.dimension, classes, bias=False)

    @torch.no_grad()
    def whiten(self, images: Tensor) -> None:
        """Give the first layer the principal components of patches of images, uint8 [n, height, width, channels].

        Each is scaled to unit variance, and there twice, with either sign.
        """
        pixels = resized(unit(images), self.side)
        cut = pixels.unfold(2, KERNEL, 2).unfold(3, KERNEL, 2)  # [n, channels, rows, columns, KERNEL, KERNEL]
        patches = cut.transpose(1, 3).flatten(3).flatten(0, 2).double()
        mean = patches.mean(0)
        covariance = (patches - mean).T @ (patches - mean) / len(patches)
        variances, components = torch.linalg.eigh(covariance)
        weight = (components.T / (variances + SMALLEST).sqrt()[:, None])[-(len(self.patches.weight) // 2) :]
        bias = -(weight @ mean)
        self.patches.weight.copy_(torch.cat([weight, -weight]).view(self.patches.weight.shape))
        assert self.patches.bias is not None
        self.patches.bias.copy_(torch.cat([bias, -bias]))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and logits."""
        features = self.blocks(gelu(self.patches(resized(images, self.side)))).amax((2, 3))
        return features, SCALE * self.head(features)


class PoolingBlock(nn.Module):
    """Two 3×3 convolutions with batch norm, the first followed by the maximum of 2×2 pixels."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.first_norm, self.second_norm = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """Return [batch, outputs, height / 2, width / 2] of maps, sides rounded up."""
        pooled = max_pool2d(self.first(maps), 2, ceil_mode=True)
        return relu(self.second_norm(self.second(relu(self.first_norm(pooled)))))
