"""Self-attention between the pixels of an image (Zhang et al. 2019)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from ganctl.errors import ConfigError
from ganctl.models.parts.convolutions import Conv2d
from ganctl.models.parts.residual import Prepare


class SelfAttention(nn.Module):
    """Adds to each pixel a mean of all pixels' values, weighted by how its query fits their keys.

    As in the code of SAGAN and BigGAN: queries (`theta`) and keys (`phi`) have an eighth of the channels, values
    (`g`) half; keys and values are the largest of each 2×2 pixels; `gamma` starts at 0.
    """

    def __init__(self, channels: int, prepare: Prepare) -> None:
        super().__init__()
        narrow, half = max(1, channels // 8), max(1, channels // 2)
        self.theta = prepare(Conv2d(channels, narrow, 1, bias=False), 1.0)
        self.phi = prepare(Conv2d(channels, narrow, 1, bias=False), 1.0)
        self.g = prepare(Conv2d(channels, half, 1, bias=False), 1.0)
        self.o = prepare(Conv2d(half, channels, 1, bias=False), 1.0)
        self.gamma = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor) -> Tensor:
        """Return [batch, channels, height, width] of the same; sides ≥ 2."""
        queries = _rows(self.theta(maps))
        keys = _rows(max_pool2d(self.phi(maps), 2))
        values = _rows(max_pool2d(self.g(maps), 2))
        weights = (queries @ keys.transpose(1, 2)).softmax(2).to(values.dtype)
        means = (weights @ values).transpose(1, 2).unflatten(2, maps.shape[2:])
        attended: Tensor = maps + self.gamma.to(maps.dtype) * self.o(means)
        return attended


def attended(key: str, least: int | None, sides: Sequence[int]) -> int | None:
    """Return after which block attention comes: the first whose maps have the smallest side of `least` or more.

    `sides` are those of the blocks' maps. None for no attention. Raises `ConfigError` naming the key if all are
    smaller.
    """
    if least is None:
        return None
    fitting = [side for side in sides if side >= least]
    if not fitting:
        raise ConfigError(f"{key}: no maps have {least} pixels a side; take {max(sides)} or less, or null")
    return sides.index(min(fitting))


def _rows(maps: Tensor) -> Tensor:
    """Return [batch, pixels, channels], without a copy of channels-last maps."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)
