"""Residual blocks of generators and discriminators (He et al. 2016, Gulrajani et al. 2017, Miyato et al. 2018).

1×1 convolutions commute with enlarging and with means of pixels, so shortcuts are computed at the smaller side.
"""

from collections.abc import Callable
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, relu

from ganctl.models.parts.batch_norm import BatchNorm2d
from ganctl.models.parts.convolutions import Conv2d
from ganctl.models.parts.resampling import CONVOLUTIONS, HalvingConv2d, Upsample, enlarged
from ganctl.models.parts.sizes import LARGEST
from ganctl.registry import Spec

Prepare = Callable[[nn.Module, float], nn.Module]
"""Initialises a new layer's weight, scaled by a gain, and normalises it as the network's others."""

BRANCH_GAIN = 2.0**0.5
"""The gain of layers that a ReLU follows or precedes; 1 elsewhere."""


GAIN_STD = 0.02
"""How much the scales of classes differ at first."""


class BlocksSpec(Spec):
    """The residual blocks of either network.

    `attention` follows the smallest maps of so many pixels a side or more; None leaves it out.
    """

    width: Annotated[int, Field(ge=1)]
    attention: Annotated[int, Field(ge=1, le=LARGEST)] | None


class ConditionalBatchNorm(BatchNorm2d):
    """Batch norm whose scale 1 + `gain` and `shift` are maps of a condition (Dumoulin et al. 2017).

    Each map returns [batch, channels]. Without maps scale and shift are learned once for all, as in
    `torch.nn.BatchNorm2d`.
    """

    def __init__(
        self, channels: int, gain: nn.Module | None = None, shift: nn.Module | None = None, eps: float = 1e-5
    ) -> None:
        super().__init__(channels, eps, affine=gain is None)
        self.gain, self.shift = gain, shift

    @classmethod
    def of_classes(cls, channels: int, classes: int) -> "ConditionalBatchNorm":
        """Return batch norm with a scale, near 1 at first, and a shift, 0 at first, for each class, or for all."""
        if not classes:
            return cls(channels)
        gain, shift = nn.Embedding(classes, channels), nn.Embedding(classes, channels)
        nn.init.normal_(gain.weight, 0.0, GAIN_STD)
        nn.init.zeros_(shift.weight)
        return cls(channels, gain, shift)

    def forward(self, input: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return maps [batch, channels, height, width], normalised; `condition` [batch, …] is for the scales."""
        normalised = super().forward(input)
        if self.gain is None or self.shift is None:
            return normalised
        scale, shift = (
            values.to(normalised.dtype)[:, :, None, None]
            for values in (1 + self.gain(condition), self.shift(condition))
        )
        return torch.addcmul(shift, normalised, scale)


class GeneratorBlock(nn.Module):
    """Adds to its input, enlarged if `upsample` says how, two 3×3 convolutions, each after norm and ReLU.

    `norms` makes a norm of so many channels, called with maps and condition.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        norms: Callable[[int], nn.Module],
        prepare: Prepare,
        upsample: Upsample | None = None,
    ) -> None:
        super().__init__()
        self.upsample = upsample
        self.norm1, self.norm2 = norms(inputs), norms(outputs)
        self.conv1 = prepare(CONVOLUTIONS[upsample](inputs, outputs), BRANCH_GAIN)
        self.conv2 = prepare(Conv2d(outputs, outputs, 3, padding=1), BRANCH_GAIN)
        reshapes = inputs != outputs or upsample is not None
        self.shortcut = prepare(Conv2d(inputs, outputs, 1), 1.0) if reshapes else nn.Identity()

    def forward(self, maps: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return [batch, outputs, …] of maps [batch, inputs, height, width]."""
        hidden = self.conv1(relu(self.norm1(maps, condition), inplace=True))
        hidden = self.conv2(relu(self.norm2(hidden, condition), inplace=True))
        shortcut = self.shortcut(maps)
        added: Tensor = hidden + (enlarged(shortcut, self.upsample) if self.upsample else shortcut)
        return added


class DiscriminatorBlock(nn.Module):
    """Adds to its input, halved if `halves`, two 3×3 convolutions, each after norm and ReLU.

    The `first` block of a network sees pixels: nothing comes before its first convolution. `hidden` are the
    channels between the convolutions; `norms` makes a norm of so many channels. The shortcut sees the input as it
    is, not its ReLU.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        prepare: Prepare,
        *,
        hidden: int,
        halves: bool,
        first: bool = False,
        norms: Callable[[int], nn.Module] = nn.Identity,
    ) -> None:
        super().__init__()
        self.first, self.halves = first, halves
        self.norm1, self.norm2 = nn.Identity() if first else norms(inputs), norms(hidden)
        self.conv1 = prepare(Conv2d(inputs, hidden, 3, padding=1), BRANCH_GAIN)
        last = HalvingConv2d(hidden, outputs) if halves else Conv2d(hidden, outputs, 3, padding=1)
        self.conv2 = prepare(last, BRANCH_GAIN)
        reshapes = inputs != outputs or halves
        self.shortcut = prepare(Conv2d(inputs, outputs, 1), 1.0) if reshapes else nn.Identity()

    def forward(self, maps: Tensor) -> Tensor:
        """Return [batch, outputs, …] of maps [batch, inputs, height, width]."""
        hidden = maps if self.first else relu(self.norm1(maps))
        hidden = self.conv2(relu(self.norm2(self.conv1(hidden)), inplace=True))
        added: Tensor = hidden + self.shortcut(avg_pool2d(maps, 2) if self.halves else maps)
        return added
