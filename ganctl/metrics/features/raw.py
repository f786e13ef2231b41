"""Samples as they are."""

from typing import Literal

from torch import Tensor

from ganctl.errors import ConfigError
from ganctl.metrics.extractor import EXTRACTORS, KEY, Extracted, Extractor, FeatureExtractor, Reference
from ganctl.samples import IMAGES

MOST_VALUES = 4096
"""More values a sample make a covariance that neither memory nor a usual number of samples can fill."""


@EXTRACTORS.register
class Raw(FeatureExtractor):
    """The values themselves: pixels of small images as shares of 255, points and sequences as they are."""

    name: Literal["raw"]

    def open(self, reference: Reference) -> Extractor:
        """Return what flattens samples; images of more than 4,096 values are refused."""
        store, kind = reference.store, reference.store.space.kind
        dimension = store.samples[0].numel()
        if kind is IMAGES and dimension > MOST_VALUES:
            raise ConfigError(
                f"{KEY}: raw takes images of up to {MOST_VALUES:,} values, not of {dimension:,}; "
                f"take {KEY}=classifier"
            )

        def extract(rows: Tensor) -> Extracted:
            return Extracted(kind.numbers(rows))

        return Extractor("raw", extract, "raw", dimension, reference.device, takes=store.space, cheap=True)
