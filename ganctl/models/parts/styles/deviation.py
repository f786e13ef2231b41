"""How varied the samples of a batch are, as a feature of each (Karras et al. 2018, section 3)."""

import torch
from torch import Tensor, nn


class MinibatchDeviation(nn.Module):
    """Adds channels with the mean standard deviation of values among `group` samples, None for the whole batch.

    Where the batch is not divisible by it, the largest smaller group that divides it. Each of the new `channels`
    is of a share of the others.
    """

    def __init__(self, group: int | None, channels: int = 1) -> None:
        super().__init__()
        self.group, self.channels = group, channels

    def forward(self, maps: Tensor) -> Tensor:
        """Return [batch, inputs + channels, height, width] of maps [batch, inputs, height, width]."""
        batch, _, height, width = maps.shape
        group = min(self.group or batch, batch)
        while batch % group:
            group -= 1
        values = maps.float() if maps.dtype in (torch.bfloat16, torch.float16) else maps
        values = values.unflatten(0, (group, -1)).unflatten(2, (self.channels, -1))
        variance = values.var(0, correction=0)
        deviation = (variance + 1e-8).sqrt().mean((2, 3, 4)).to(maps.dtype)
        added = deviation[:, :, None, None].repeat(group, 1, height, width)
        return torch.cat([maps, added], 1)
