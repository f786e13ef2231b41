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
from ganctl.registry import Component, Family
from ganctl.samples import SampleSpace

KEY = "metric/features"
"""The group of configs in which an extractor is chosen."""


@dataclass(frozen=True)
class Extracted:
    """Features of a chunk, float32 [n, dimension], and logits, float32 [n, classes], where there are classes."""

    features: Tensor
    logits: Tensor | None = None


@dataclass(frozen=True)
class Extractor:
    """An opened extractor.

    `extract` maps a chunk of samples as stored to what is `Extracted` of them. `identity` is a digest of
    architecture and weights: equal ones give comparable numbers. `classes` is 0 without logits. `takes` are the
    only samples that it was made for, None for images of 1, 3 or 4 channels and any size. `accuracy` is the
    share of held-out images that it classifies right. Statistics of a `cheap` one are not cached.
    """

    name: str
    extract: Callable[[Tensor], Extracted]
    identity: str
    dimension: int
    device: torch.device
    classes: int = 0
    takes: SampleSpace | None = None
    resizer: str = "none"
    precision: str = "fp32"
    accuracy: float | None = None
    cheap: bool = False

    @property
    def arithmetic(self) -> torch.device:
        """Where float64 can be computed: the extractor's device if it is a CUDA device, else the CPU."""
        return self.device if self.device.type == "cuda" else torch.device("cpu")

    def describe(self) -> str:
        """Return what two numbers must have in common to be compared, in few words."""
        return f"{self.identity}, {self.precision}, resized: {self.resizer}"

    def about(self) -> dict[str, Any]:
        """Return what a reader of a number must know of the extractor, as plain data."""
        told = ("name", "identity", "dimension", "classes", "resizer", "precision", "accuracy")
        return {name: getattr(self, name) for name in told}

    def require(self, space: SampleSpace) -> None:
        """Raise `ConfigError` for samples that the extractor does not take."""
        if self.takes is None:
            space.require_images(f"{KEY}: {self.name} looks at images", f"take {KEY}=raw")
        elif space.shape != self.takes.shape:
            raise ConfigError(
                f"{KEY}: {self.name} was made for samples of {self.takes.describe()}, not of {space.describe()}; "
                "measure what was trained on the same data"
            )


@dataclass(frozen=True)
class Reference:
    """The real data that an extractor is opened for, with its source, the device and the folder of caches."""

    source: Source
    store: Store
    device: torch.device
    cache: str

    def require_images(self, name: str) -> None:
        """Raise `ConfigError` where samples are points."""
        self.store.space.require_images(f"{KEY}: {name} looks at images", f"take {KEY}=raw")


class FeatureExtractor(Component):
    """A way to extract features from samples, by name."""

    def open(self, reference: Reference) -> Extractor:
        """Return the extractor on the device; raise `ConfigError` or `DataError` for data that does not fit."""
        raise NotImplementedError


EXTRACTORS: Family[FeatureExtractor] = Family("features")


@contextmanager
def exact_fp32() -> Iterator[None]:
    """Compute products of float32 without TF32 within the block, also where it is allowed outside."""
    matmul, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(matmul)
        torch.backends.cudnn.allow_tf32 = convolutions
