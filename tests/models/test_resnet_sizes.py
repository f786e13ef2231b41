"""Official residual networks, by numbers of the model: as many parameters and buffers."""

import pytest
import torch

from tests.models.residual import model, space, widths
from tests.reference.vectors import official_sizes


def judges(width: int, most: int, base: int, blocks: int) -> list[str]:
    return [*widths("discriminator", width, most), f"discriminator.base={base}", f"discriminator.blocks={blocks}"]


ATTENDS = ["generator.attention=16", "generator.spectral=true"]
OFFICIAL = {
    "SNGAN 32 G": (32, 0, widths("generator", 256, 256)),
    "SNGAN 32 D": (32, 0, judges(128, 128, 8, 2)),
    "SNGAN 48 G": (48, 0, widths("generator", 64, 512)),
    "SNGAN 48 D": (48, 0, judges(64, 1024, 3, 1)),
    "SNGAN 64 G": (64, 0, widths("generator", 64, 1024)),
    "SNGAN 64 D": (64, 0, judges(64, 1024, 2, 0)),
    "SNGAN 128 G": (128, 0, widths("generator", 64, 1024)),
    "SNGAN 128 D": (128, 0, judges(64, 1024, 4, 1)),
    "cGAN-PD 32 G": (32, 10, widths("generator", 256, 256)),
    "cGAN-PD 32 D": (32, 10, judges(128, 128, 8, 2)),
    "cGAN-PD 128 G": (128, 1000, widths("generator", 64, 1024)),
    "cGAN-PD 128 D": (128, 1000, judges(8, 128, 4, 1)),
    "cGAN-PD 128 D ndf=1024": (128, 1000, judges(64, 1024, 4, 1)),
    "SAGAN 32 mimicry G": (32, 10, [*widths("generator", 256, 256), *ATTENDS]),
    "SAGAN 32 mimicry D": (32, 10, [*judges(128, 128, 8, 2), "discriminator.attention=8"]),
    "SAGAN 128 mimicry G": (
        128,
        1000,
        [*widths("generator", 64, 1024), "generator.attention=32", "generator.spectral=true"],
    ),
    "SAGAN 128 mimicry D": (128, 1000, [*judges(8, 128, 4, 1), "discriminator.attention=32"]),
    "SAGAN 128 mimicry D ndf=1024": (128, 1000, [*judges(64, 1024, 4, 1), "discriminator.attention=32"]),
    "SNGAN CIFAR-10 (StudioGAN) G": (32, 10, widths("generator", 256, 256)),
    "SNGAN CIFAR-10 (StudioGAN) D": (32, 10, judges(128, 128, 8, 2)),
    "SAGAN CIFAR-10 (StudioGAN) G": (32, 10, [*widths("generator", 256, 256), *ATTENDS]),
    "SAGAN CIFAR-10 (StudioGAN) D": (32, 10, [*judges(128, 128, 8, 2), "discriminator.attention=16"]),
    "ProjGAN CIFAR-10 (StudioGAN) G": (32, 10, widths("generator", 256, 256)),
}
"""Resolution, classes and settings of official networks.

ProjGAN's discriminator is not among them: StudioGAN normalises its batches, even in the shortcuts.
"""

OTHER_BUFFERS = ("cGAN-PD 32 D", "SAGAN CIFAR-10 (StudioGAN) G")
"""Spectral norms that keep other vectors: a σ in the place of v; vectors of embeddings, too."""


@pytest.mark.usefixtures("quick_spectral_norm")
@pytest.mark.parametrize("name", OFFICIAL)
def test_official_networks_have_their_sizes(name: str) -> None:
    side, classes, words = OFFICIAL[name]
    spec = model(*words, *["conditional=true"] * bool(classes))
    build = spec.build_generator if name.endswith(" G") else spec.build_discriminator
    with torch.device("meta"):
        network = build(space(3, side, side, classes=classes))
    official = official_sizes()[name]
    assert sum(each.numel() for each in network.parameters()) == official["parameters"]
    if name not in OTHER_BUFFERS:
        assert sum(each.numel() for each in network.buffers()) == official["buffers"]
