"""Images with an alpha channel, for networks that know none."""

from torch import Tensor


def over_white(images: Tensor, value_range: tuple[float, float]) -> Tensor:
    """Return images with alpha [n, 4, height, width] over white, [n, 3, height, width]; others as they are.

    `value_range` is black and white, and transparent and opaque. Gradients go through it.
    """
    if images.shape[1] != 4:
        return images
    low, high = value_range
    return high + (images[:, :3] - high) * ((images[:, 3:] - low) / (high - low))
