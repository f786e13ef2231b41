"""Small untrained generators as commands open them."""

from typing import Any

import torch
from torch import nn

from ganctl.config import train_config
from ganctl.game.assemble import build_network
from ganctl.models.model import Generator
from ganctl.runs.generator import TrainedGenerator
from ganctl.runtime.device import open_device
from ganctl.samples import SampleSpace
from scripts.soaks.configs import small_words
from tests.composed import composed

CLASSES = ("ant", "bee", "cat")
NO_CHECKPOINT: Any = None
OTHERS: dict[str, tuple[int, ...]] = {"mlp": (2,), "conv1d": (1, 16)}
"""Shapes of points and sequences by the models that make them here."""


def opened(model: str, *words: str, network: nn.Module | None = None) -> TrainedGenerator:
    """Return a generator of a family in small, or another network in its place, of images or of `OTHERS`."""
    config = train_config(composed(*small_words(*words, model=model, data="ring" if model == "mlp" else "digits")))
    side = config.data.model_dump().get("resolution", 8)
    shape = OTHERS.get(model, (1, side, side))
    space = config.model.space(SampleSpace.of_shape(shape, classes=CLASSES))
    device = open_device("cpu", "fp32", strict=False, threads=1)
    made = network or build_network(config, "generator", space, device)
    return TrainedGenerator(made.requires_grad_(False), space, NO_CHECKPOINT, config, device)


class LinearGenerator(Generator):
    """Maps latents [batch, width] to samples by one matrix [values, width]."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.layer = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.layer.weight.copy_(weight)

    def forward(self, latents: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Return samples [batch, values]."""
        samples: torch.Tensor = self.layer(latents)
        return samples
