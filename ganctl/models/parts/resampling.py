"""3×3 convolutions that halve or double the side, by exact algebra where that takes fewer operations.

Each is a `torch.nn.Conv2d` with that class's weight [outputs, inputs, 3, 3], so it is initialised and normalised
as one. Convolution and mean, or repetition and convolution, are linear: their product is one convolution of a 4×4
kernel, which takes 16 products for 4 pixels of the larger side instead of 36.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, interpolate, pad

from ganctl.models.parts.convolutions import Conv2d

Upsample = Literal["nearest", "bilinear"]


class HalvingConv2d(nn.Conv2d):
    """A 3×3 convolution, of whose outputs each 2×2 are averaged."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """Return [batch, outputs, height / 2, width / 2] of [batch, inputs, height, width]."""
        return conv2d(input, _boxed(self.weight), self.bias, stride=2, padding=1)


class DoublingConv2d(nn.Conv2d):
    """A 3×3 convolution of pixels that are repeated to 2×2."""

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 3, padding=1, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """Return [batch, outputs, 2 height, 2 width] of [batch, inputs, height, width]."""
        weight = _boxed(self.weight).flip(2, 3).transpose(0, 1) * 4
        return conv_transpose2d(input, weight, self.bias, stride=2, padding=1)


class BilinearConv2d(nn.Conv2d):
    """A 3×3 convolution of images that are enlarged bilinearly, for which no smaller kernel exists."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """Return [batch, outputs, 2 height, 2 width] of [batch, inputs, height, width]."""
        return super().forward(enlarged(input, "bilinear"))


CONVOLUTIONS: dict[Upsample | None, Callable[[int, int], nn.Conv2d]] = {
    "nearest": DoublingConv2d,
    "bilinear": BilinearConv2d,
    None: partial(Conv2d, kernel_size=3, padding=1),
}
"""3×3 convolutions by how they enlarge, called with inputs and outputs."""


def enlarged(maps: Tensor, upsample: Upsample) -> Tensor:
    """Return maps of twice the side."""
    return interpolate(maps, scale_factor=2, mode=upsample)


def _boxed(weight: Tensor) -> Tensor:
    """Return a 3×3 kernel convolved with the mean of 2×2, [outputs, inputs, 4, 4]."""
    return avg_pool2d(pad(weight, (1, 1, 1, 1)), 2, 1)
