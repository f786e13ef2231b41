"""From latents and classes to a style (Karras et al. 2019; of classes: Karras et al. 2020, StyleGAN2-ADA)."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from ganctl.models.latents import one_hot
from ganctl.models.parts.styles.equalized import EqualLinear

RATE = 0.01
"""The layers' learning rate, as a share of that of others."""


class Mapping(nn.Module):
    """Layers of `width` units with leaky ReLU, of latents, an embedding of the class, or both side by side.

    Each of the two is scaled to a mean square of 1 first. `inputs` is 0 without latents, `classes` without them.
    """

    def __init__(self, inputs: int, classes: int, width: int, layers: int) -> None:
        super().__init__()
        self.classes = classes
        self.embedding = EqualLinear(classes, width) if classes else None
        first = inputs + (width if classes else 0)
        sizes = pairwise([first] + [width] * layers)
        self.layers = nn.Sequential(*(EqualLinear(*size, active=True, rate=RATE) for size in sizes))

    def forward(self, latents: Tensor | None, labels: Tensor | None = None) -> Tensor:
        """Return [batch, width] of latents [batch, inputs] and labels, int64 [batch]; not in mixed precision."""
        assert (labels is None) == (self.embedding is None), "labels go with classes"
        parts = [] if latents is None else [_normalised(latents)]
        if self.embedding is not None and labels is not None:
            parts.append(_normalised(self.embedding(self._columns(labels))))
        mapped: Tensor = self.layers(torch.cat(parts, 1))
        return mapped

    def _columns(self, labels: Tensor) -> Tensor:
        assert self.embedding is not None
        return one_hot(labels, self.classes).to(self.embedding.weight.dtype)


def _normalised(values: Tensor) -> Tensor:
    return values * (values.square().mean(1, keepdim=True) + 1e-8).rsqrt()
