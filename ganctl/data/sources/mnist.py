"""Handwritten digits and clothes of 28×28 grey pixels, alone and stacked, from the idx files of MNIST.

The format is described at http://yann.lecun.com/exdb/mnist.
"""

import math
import os
import zlib
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field

from ganctl.data.source import SOURCES, LabelledSource, Resolution, Source, resize
from ganctl.data.sources.download import download
from ganctl.data.store import Store
from ganctl.errors import DataError
from ganctl.runtime.bounded import read_bytes, read_gzip
from ganctl.runtime.randomness import generator

DIGITS = tuple("0123456789")
CLOTHES = (
    *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
    *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
)
MOST_DIMENSIONS = 32
"""As many as every version of numpy has; the format has room for 255."""

Title = Literal["MNIST", "FashionMNIST"]
"""A data set of idx files: its name for people, its class in torchvision, and its folder."""


class IdxSource(Source):
    """A set of 28×28 grey images in idx files."""

    placement = frozenset({"root", "download"})
    title_of_files: ClassVar[Title] = "MNIST"
    root: str
    split: Literal["train", "test"]
    download: bool
    resolution: Resolution

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return pixels, uint8 [count, resolution, resolution], and labels, int64 [count].

        28 pixels are left as they are; larger ones get a black border up to 32; others are resized.

        Raises `DataError` for files that are missing or cannot be used.
        """
        title = self.title_of_files
        pixels, labels = load_idx(title, self.root, train=self.split == "train", fetch=self.download)
        if (most := int(labels.max())) >= len(DIGITS):
            raise DataError(f"data.root: {title} has 10 classes, but labels up to {most}; fetch its files again")
        border = self.resolution - pixels.shape[1]
        if 0 <= border <= 4:
            before, after = border // 2, border - border // 2
            pixels = np.pad(pixels, ((0, 0), (before, after), (before, after)))
        else:
            pixels = resize(pixels, self.resolution)
        return pixels, labels.astype(np.int64)

    def load(self) -> Store:
        """Return the images: 28 pixels as they are, larger with a black border up to 32, else resized."""
        pixels, labels = self.read()
        classes = DIGITS if self.title_of_files == "MNIST" else CLOTHES
        return Store(torch.from_numpy(pixels[..., None]), torch.from_numpy(labels), classes)


@SOURCES.register
class Mnist(IdxSource, LabelledSource):
    """MNIST (LeCun et al. 1998), read from its four original idx files."""

    name: Literal["mnist"]


@SOURCES.register
class FashionMnist(IdxSource, LabelledSource):
    """Fashion-MNIST (Xiao et al. 2017), read from its four original idx files."""

    title_of_files = "FashionMNIST"
    name: Literal["fashion_mnist"]


@SOURCES.register
class StackedMnist(IdxSource):
    """Three digits of MNIST as the channels of one image: 1,000 modes to be missed (Srivastava et al. 2017)."""

    stacked = True
    name: Literal["stacked_mnist"]
    num: Annotated[int, Field(ge=2, le=10_000_000)]
    seed: Annotated[int, Field(ge=0)]

    def load(self) -> Store:
        """Return `num` triples, drawn uniformly with repetition; red is the first digit of a class's name."""
        pixels, labels = self.read()
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
        return super().load()


def load_idx(title: Title, root: str, *, train: bool, fetch: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return a data set's pixels, uint8 [count, 28, 28], and labels, uint8 [count].

    Files are looked for in root/<title>/raw, root/<title>, root/raw and root itself, plain or gzipped, also named
    with a dot (`train-images.idx3-ubyte`) or in a folder of their own name; if some are missing and `fetch`
    is true, torchvision downloads them into the first.

    Raises `DataError` if they are missing and not downloaded, or are no idx files.
    """
    place = Path(os.path.expanduser(root))
    raw = place / title / "raw"
    prefix = "train" if train else "t10k"
    names = (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
    paths = [_find(title, place, name) for name in names]
    if None in paths and fetch:
        download(
            title,
            place,
            f"{title}/raw",
            lambda datasets, folder: getattr(datasets, title)(folder, download=True),
            f"put its four idx files into {raw}, or name the folder that has them by data.root=…",
        )
        paths = [_find(title, place, name) for name in names]
    missing = [name for name, path in zip(names, paths, strict=True) if path is None]
    if missing:
        raise DataError(
            f"data.root: no {missing[0]} in {raw} or {place}; put {title}'s files "
            "there (plain or .gz), name their folder by data.root=…, or set data.download=true"
        )
    pixels, labels = (read_idx(path) for path in paths if path is not None)
    if pixels.ndim != 3 or labels.ndim != 1 or len(pixels) != len(labels) or not len(pixels):
        raise DataError(f"{paths[0]}: {pixels.shape} pixels and {labels.shape} labels do not belong together")
    _, height, width = pixels.shape
    if height != width or not height:
        raise DataError(f"{paths[0]}: images of {height}×{width} pixels, but {title}'s are 28×28")
    return pixels, labels


def read_idx(path: Path) -> np.ndarray:
    """Return the array of one idx file of unsigned bytes, decompressed if its name ends in .gz.

    Raises `DataError` if the file cannot be read, is not such a file, or is too large for memory.
    """
    try:
        content = read_gzip(path) if path.suffix == ".gz" else read_bytes(path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    dimensions = content[3] if content[:3] == b"\x00\x00\x08" and len(content) > 3 else 0
    offset = 4 + 4 * dimensions
    shape = np.frombuffer(content, ">u4", dimensions, offset=4).tolist() if len(content) >= offset > 4 else []
    if not 0 < len(shape) <= MOST_DIMENSIONS or math.prod(shape) != len(content) - offset:
        raise DataError(f"{path}: not a whole idx file of unsigned bytes; fetch it again")
    return np.frombuffer(content, np.uint8, offset=offset).reshape(shape)


def _find(title: Title, root: Path, name: str) -> Path | None:
    folders = [root / below for below in (f"{title}/raw", title, "raw", "")]
    names = [spelling + ending for spelling in (name, name.replace("-idx", ".idx")) for ending in ("", ".gz")]
    candidates = [folder / place for folder in folders for each in names for place in (each, f"{each}/{each}")]
    return next((path for path in candidates if os.path.isfile(path)), None)
