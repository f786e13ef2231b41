"""LeCam's running means and its term against PyTorch-StudioGAN."""

import pytest
import torch

from ganctl.auxiliary.lecam import Anchors, Lecam
from ganctl.game.round import Surroundings
from ganctl.models.latents import LatentSpace
from ganctl.samples import SampleSpace
from tests.reference.vectors import read


def anchors(decay: float, start: int) -> Anchors:
    space = SampleSpace.of_shape((1, 4, 4), (-1.0, 1.0))
    around = Surroundings("discriminator", space, LatentSpace(4), torch.device("cpu"), torch.float64, 0)
    built = Lecam(name="lecam", weight=1.0, every=1, decay=decay, start=max(start, 1)).build(around)
    assert isinstance(built, Anchors)
    built._start = start
    return built


@pytest.mark.parametrize("start", [0, 5])
def test_the_means_follow_as_studiogans(start: int) -> None:
    case = read("studiogan_lecam_ema")
    term = anchors(0.9, start)
    initial = torch.tensor(7777.0).double()  # theirs; ours does not count: `start` is 1 or more
    term.load({"real": initial, "fake": initial, "times": torch.zeros(())})
    found = []
    for real, fake in zip(case["in.values"], case["in.values_fake"], strict=True):
        term.follow({"real": real.clone(), "fake": fake.clone()})
        found.append([term.state()[side].clone() for side in ("real", "fake")])
    for column, side in enumerate(("real", "fake")):
        case.check(f"start{start}.D_{side}", torch.stack([row[column] for row in found]))
