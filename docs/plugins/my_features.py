"""A feature extractor: mean and standard deviation of each sample's values."""

from typing import Literal

import torch
from torch import Tensor

from ganctl.metrics import EXTRACTORS, Extracted, Extractor, FeatureExtractor, Reference


@EXTRACTORS.register
class Outline(FeatureExtractor):
    """Two numbers a sample."""

    name: Literal["outline"]

    def open(self, reference: Reference) -> Extractor:
        """Return the extractor; its identity changes whenever its numbers would."""
        space = reference.store.space
        return Extractor("outline", extract, "outline 1", dimension=2, device=reference.device, takes=space)


def extract(samples: Tensor) -> Extracted:
    """Return features, float32 [n, 2], of samples as stored."""
    values = samples.flatten(1).float()
    return Extracted(torch.stack([values.mean(1), values.std(1)], dim=1))
