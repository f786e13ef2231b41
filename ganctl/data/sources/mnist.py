"""Handwritten digits and clothes of 28×28 grey pixels, alone and stacked."""

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field

from ganctl.data.source import SOURCES, Resolution, Source
from ganctl.data.sources.idx import Title, load_idx
from ganctl.data.sources.resize import resize
from ganctl.data.store import Store
from ganctl.errors import DataError
from ganctl.runtime.randomness import generator

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


class IdxSource(Source):
    """A set of 28×28 grey images in idx files."""

    placement = frozenset({"root", "download"})
    root: str
    split: Literal["train", "test"]
    download: bool
    resolution: Resolution

    def read(self, title: Title) -> tuple[np.ndarray, np.ndarray]:
        """Return pixels, uint8 [count, resolution, resolution], and labels, int64 [count].

        28 pixels are left as they are; larger ones get a black border up to 32; others are resized.

        Raises `DataError` for files that are missing or cannot be used.
        """
        pixels, labels = load_idx(title, self.root, train=self.split == "train", fetch=self.download)
        highest = int(labels.max())
        if highest >= len(DIGITS):
            raise DataError(
                f"data.root: {title} has {len(DIGITS)} classes, but labels up to {highest}; fetch its files again"
            )
        return self._fit(pixels), labels.astype(np.int64)

    def _fit(self, pixels: np.ndarray) -> np.ndarray:
        border = self.resolution - pixels.shape[1]
        if border == 0:
            return pixels.copy()
        if 0 < border <= 4:
            before, after = border // 2, border - border // 2
            return np.pad(pixels, ((0, 0), (before, after), (before, after)))
        return resize(pixels, self.resolution)


@SOURCES.register
class Mnist(IdxSource):
    """MNIST (LeCun et al. 1998), read from its four original idx files."""

    name: Literal["mnist"]

    def load(self) -> Store:
        """Return the digits: 28 pixels as they are, larger with a black border up to 32, else resized."""
        pixels, labels = self.read("MNIST")
        return Store(torch.from_numpy(pixels[..., None]), torch.from_numpy(labels), DIGITS)


@SOURCES.register
class FashionMnist(IdxSource):
    """Fashion-MNIST (Xiao et al. 2017), read from its four original idx files."""

    name: Literal["fashion_mnist"]

    def load(self) -> Store:
        """Return the clothes: 28 pixels as they are, larger with a black border up to 32, else resized."""
        pixels, labels = self.read("FashionMNIST")
        return Store(torch.from_numpy(pixels[..., None]), torch.from_numpy(labels), CLOTHES)


@SOURCES.register
class StackedMnist(IdxSource):
    """Three digits of MNIST as the channels of one image: 1,000 modes to be missed (Srivastava et al. 2017)."""

    stacked = True
    name: Literal["stacked_mnist"]
    num: Annotated[int, Field(ge=2, le=10_000_000)]
    seed: Annotated[int, Field(ge=0)]

    def load(self) -> Store:
        """Return `num` triples, drawn uniformly with repetition; red is the first digit of a class's name."""
        pixels, labels = self.read("MNIST")
        source = generator(torch.device("cpu"), "stacked_mnist", self.split, self.seed)
        chosen = torch.randint(len(pixels), (self.num, 3), generator=source).numpy()
        samples = np.empty((self.num, *pixels.shape[1:], 3), np.uint8)
        for channel in range(3):
            samples[..., channel] = pixels[chosen[:, channel]]
        triples = labels[chosen] @ np.array([100, 10, 1])
        classes = tuple(f"{number:03d}" for number in range(1000))
        return Store(torch.from_numpy(samples), torch.from_numpy(triples), classes)

    def labelled(self, store: Store) -> Store:
        """Return the single digits."""
        pixels, labels = self.read("MNIST")
        return Store(torch.from_numpy(pixels[..., None]), torch.from_numpy(labels), DIGITS)
