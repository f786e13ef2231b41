"""What every feature extractor is, and the table of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganctl.data.source import Source
from ganctl.data.store import Store
from ganctl.errors import ConfigError
from ganctl.models import Shape
from ganctl.registry import Component, Family

KEY = "metric/features"
"""The group of configs in which an extractor is chosen."""


@dataclass(frozen=True)
class Seen:
    """What an extractor makes of a chunk: features, float32 [n, dimension], and logits, float32 [n, classes]."""

    features: Tensor
    logits: Tensor | None = None


@dataclass(frozen=True)
class Extractor:
    """An opened extractor.

    `look` maps samples as they rest in a store to what is `Seen` of them. `identity` is a digest of
    architecture and weights: equal ones give comparable numbers. `classes` is 0 without logits. `takes` is the
    one shape that it was made for, None for pictures of 1 or 3 channels and any size. `accuracy` is the share
    of held-out pictures whose class it tells.
    """

    name: str
    look: Callable[[Tensor], Seen]
    identity: str
    dimension: int
    device: torch.device
    classes: int = 0
    takes: Shape | None = None
    resizer: str = "none"
    precision: str = "fp32"
    accuracy: float | None = None

    @property
    def arithmetic(self) -> torch.device:
        """Where float64 can be computed: the extractor's device if it is a CUDA device, else the CPU."""
        return self.device if self.device.type == "cuda" else torch.device("cpu")

    def describe(self) -> str:
        """Return what two numbers must have in common to be compared, in few words."""
        return f"{self.identity}, {self.precision}, resized: {self.resizer}"

    def about(self) -> dict[str, Any]:
        """Return what a reader of a number must know of the extractor, as plain data."""
        return {
            "name": self.name,
            "identity": self.identity,
            "dimension": self.dimension,
            "classes": self.classes,
            "resizer": self.resizer,
            "precision": self.precision,
            "accuracy": self.accuracy,
        }

    def require(self, shape: Shape) -> None:
        """Raise `ConfigError` for samples of a shape that the extractor does not take."""
        if self.takes is not None and shape != self.takes:
            raise ConfigError(
                f"{KEY}: {self.name} was made for samples of {_words(self.takes)}, not of {_words(shape)}; "
                "measure what was trained on the same data"
            )
        if self.takes is None and len(shape) != 3:
            raise ConfigError(
                f"{KEY}: {self.name} looks at pictures, but the data is {_words(shape)}; take {KEY}=raw"
            )


@dataclass(frozen=True)
class Surroundings:
    """What an extractor is opened for: the real data, the device, and the folder of caches (auto = the system's).

    `source` is where the store came from.
    """

    source: Source
    store: Store
    device: torch.device
    cache: str

    def require_pictures(self, name: str) -> None:
        """Raise `ConfigError` where samples are points."""
        if not self.store.is_pictures:
            raise ConfigError(
                f"{KEY}: {name} looks at pictures, but the data is {_words(self.store.shape)}; take {KEY}=raw"
            )


class FeatureExtractor(Component):
    """A way to look at samples, by name."""

    def open(self, surroundings: Surroundings) -> Extractor:
        """Return the extractor, with its weights on the device.

        Raises `ConfigError` or `DataError` if it cannot look at these samples or its weights cannot be had.
        """
        raise NotImplementedError


EXTRACTORS: Family[FeatureExtractor] = Family("features")


@contextmanager
def exact_fp32() -> Iterator[None]:
    """Compute products of float32 as such within the block, also where TF32 is allowed outside it."""
    matmul, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = convolutions


def _words(shape: Shape) -> str:
    if len(shape) != 3:
        return f"points of {shape[0]} dimension{'s' if shape[0] > 1 else ''}"
    channels, height, width = shape
    return f"{height}×{width} pixels in {channels} channel{'s' if channels > 1 else ''}"
