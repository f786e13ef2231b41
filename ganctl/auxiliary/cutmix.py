"""Consistency of a discriminator that judges pixels, on images of which a box comes from another."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from ganctl.auxiliary.auxiliary import AUXILIARIES, Auxiliary
from ganctl.game.round import Distribution, PlayerName, Round


@AUXILIARIES.register
class CutmixConsistency(Auxiliary):
    """How far the pixels' logits of a mix of two images are from the mix of their logits.

    A box of a real image is cut into a generated one, or the other way round, with a chance of a half each; its
    area is uniform (Schönfeld et al. 2020, equation 6; Yun et al. 2019).
    """

    players: ClassVar[tuple[PlayerName, ...]] = ("discriminator",)
    reads_real = True
    draws: ClassVar[Mapping[str, Distribution]] = {
        "box_area": "uniform",
        "box_row": "uniform",
        "box_column": "uniform",
        "box_kind": "uniform",
    }
    name: Literal["cutmix_consistency"]

    def __call__(self, round: Round) -> Tensor:
        """Return the mean squared difference."""
        area, row, column, kind = (round.uniform(name) for name in self.draws)
        box = boxes(area, row, column, round.real.shape[2:])
        found, wanted = round.mixed(box ^ (kind < 0.5)[:, None, None])
        return (found - wanted).square().mean()


def boxes(areas: Tensor, rows: Tensor, columns: Tensor, sides: Sequence[int]) -> Tensor:
    """Return boxes as bool [count, height, width], of these shares of the area before what is outside is cut off.

    `rows` and `columns` in [0, 1) are where their centres lie; all are [count].
    """
    spans = []
    for centre, side in zip((rows, columns), sides, strict=True):
        pixels = torch.arange(side, device=areas.device) + 0.5
        spans.append((pixels - centre[:, None] * side).abs() <= areas.sqrt()[:, None] * side / 2)
    return spans[0][:, :, None] & spans[1][:, None, :]
