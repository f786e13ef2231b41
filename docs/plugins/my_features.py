"""A feature extractor: mean and standard deviation of each sample's values."""

from typing import Literal

import torch
from torch import Tensor

from ganctl.metrics import EXTRACTORS, Extractor, FeatureExtractor, Surroundings
from ganctl.metrics.extractor import Seen


@EXTRACTORS.register
class Outline(FeatureExtractor):
    """Two numbers a sample."""

    name: Literal["outline"]

    def open(self, surroundings: Surroundings) -> Extractor:
        """Return the extractor; its identity changes whenever its numbers would."""
        space = surroundings.store.space
        return Extractor("outline", look, "outline 1", dimension=2, device=surroundings.device, takes=space)


def look(samples: Tensor) -> Seen:
    """Return features, float32 [n, 2], of samples as they rest in a store."""
    values = samples.flatten(1).float()
    return Seen(torch.stack([values.mean(1), values.std(1)], dim=1))
