"""Quarters of images, of which FastGAN's discriminator decodes one."""

import torch
from torch import Tensor

QUARTERS = 4


def quarters(images: Tensor, places: Tensor) -> Tensor:
    """Return one quarter of each image [batch, channels, height, width]; sides are even.

    `places`, int64 [batch], count them from 0 by rows.
    """
    cut = images.unflatten(3, (2, -1)).unflatten(2, (2, -1)).permute(0, 2, 4, 3, 5, 1)
    each = torch.arange(len(images), device=images.device)
    return cut[each, places // 2, places % 2].permute(0, 3, 1, 2)
