"""Where real samples come from. Each source loads a whole `Store`."""

import math
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from PIL import Image
from pydantic import Field, model_validator

from ganctl.data import folder, idx
from ganctl.data.decode import Decoding
from ganctl.data.store import Store
from ganctl.registry import Component, Family
from ganctl.runtime.console import say
from ganctl.runtime.randomness import generator

Resolution = Annotated[int, Field(ge=8, le=256)]
Workers = Annotated[int, Field(ge=1)]

GRID = 2**20
FEW_PICTURES = 500


class Source(Component):
    """A data set by name."""

    placement: ClassVar[frozenset[str]] = frozenset()
    """Keys that say where the data lies or how it is read, and do not change what is read."""

    points: ClassVar[bool] = False
    """Whether samples are points rather than pictures."""

    def load(self) -> Store:
        """Return the samples.

        Raises `DataError` for data that is missing or cannot be used.
        """
        raise NotImplementedError


SOURCES: Family[Source] = Family("data")


@SOURCES.register
class Digits(Source):
    """The 1,797 handwritten digits of 8×8 pixels that scikit-learn carries (Alpaydin and Kaynak 1998)."""

    name: Literal["digits"]
    resolution: Resolution

    def load(self) -> Store:
        """Return the digits, enlarged by bicubic interpolation in floating point."""
        from sklearn.datasets import load_digits

        pixels, labels = load_digits(return_X_y=True)
        size = (self.resolution, self.resolution)
        pictures = [
            np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC))
            for grey in (pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.float32)
        ]
        samples = np.stack(pictures).clip(0, 255).round().astype(np.uint8)[..., None]
        return Store(torch.from_numpy(samples), torch.from_numpy(labels.astype(np.int64)), tuple("0123456789"))


@SOURCES.register
class Mnist(Source):
    """MNIST (LeCun et al. 1998), read from its four original idx files."""

    placement = frozenset({"root", "download"})
    name: Literal["mnist"]
    root: str
    split: Literal["train", "test"]
    download: bool
    resolution: Resolution

    def load(self) -> Store:
        """Return the digits: 28 pixels as they are, larger with a black border up to 32, else resized."""
        pixels, labels = idx.load_mnist(self.root, train=self.split == "train", download=self.download)
        samples = np.ascontiguousarray(self._fit(pixels))[..., None]
        return Store(torch.from_numpy(samples), torch.from_numpy(labels.astype(np.int64)), tuple("0123456789"))

    def _fit(self, pixels: np.ndarray) -> np.ndarray:
        border = self.resolution - pixels.shape[1]
        if border == 0:
            return pixels.copy()
        if 0 < border <= 4:
            before, after = border // 2, border - border // 2
            return np.pad(pixels, ((0, 0), (before, after), (before, after)))
        size = (self.resolution, self.resolution)
        return np.stack(
            [np.asarray(Image.fromarray(digit).resize(size, Image.Resampling.BICUBIC)) for digit in pixels]
        )


@SOURCES.register
class Folder(Source):
    """Pictures of any size and mode in a folder or a zip file."""

    placement = frozenset({"path", "workers", "cache"})
    name: Literal["folder"]
    path: str
    subfolder: str | None
    resolution: Resolution | None
    channels: Literal[1, 3]
    fit: Literal["crop", "squash"]
    max_bad_fraction: Annotated[float, Field(ge=0, le=1)]
    workers: Workers | None
    cache: str | None

    @model_validator(mode="before")
    @classmethod
    def _of_an_older_version(cls, values: Any) -> Any:
        """Complete a config that was saved before there was a cache."""
        return {"cache": None, **values} if isinstance(values, dict) else values

    @property
    def decoding(self) -> Decoding:
        """How pictures are brought to one shape."""
        return Decoding(self.resolution, self.channels, self.fit)

    def load(self) -> Store:
        """Return every picture that decodes; the folder that directly holds a picture is its class."""
        store = folder.load(
            self.path,
            self.subfolder,
            self.decoding,
            self.max_bad_fraction,
            self.workers,
            self.cache,
        )
        if len(store) < FEW_PICTURES:
            count = f"{len(store):,} picture{'s' if len(store) > 1 else ''}"
            say(f"only {count}: the generator will learn so few by heart; thousands make a good set")
        return store


@SOURCES.register
class Ring(Source):
    """Gaussians on a circle: the mixture on which mode collapse is measured (Srivastava et al. 2017)."""

    points = True
    name: Literal["ring"]
    modes: Annotated[int, Field(ge=1, le=1000)]
    radius: Annotated[float, Field(gt=0)]
    std: Annotated[float, Field(gt=0)]
    num: Annotated[int, Field(ge=2)]
    seed: Annotated[int, Field(ge=0)]

    def load(self) -> Store:
        """Return `num` points, the modes' turn by turn, so that each has its equal share."""
        labels = torch.arange(self.num) % self.modes
        angle = labels.double() * (2 * math.pi / self.modes)
        centres = self.radius * torch.stack([angle.cos(), angle.sin()], dim=1)
        source = generator(torch.device("cpu"), "ring", self.seed)
        points = centres + self.std * torch.randn(self.num, 2, generator=source, dtype=torch.float64)
        # Rounded, so that processors that differ in the last bit of a cosine still draw the same set.
        rounded = (points * GRID).round() / GRID
        return Store(rounded.float(), labels, tuple(str(mode) for mode in range(self.modes)))
