"""Where real samples come from. Each source loads a whole `Store`."""

from importlib.metadata import distribution
from typing import Annotated, Literal

import numpy as np
import torch
from PIL import Image
from pydantic import Field

from ganctl.data import folder
from ganctl.data.decode import Decoding
from ganctl.data.source import SOURCES, Range, Resolution, Source, Workers
from ganctl.data.store import Store
from ganctl.errors import counted
from ganctl.registry import import_members
from ganctl.runtime.console import say

FEW_PICTURES = 500

__all__ = ["SOURCES", "Digits", "Folder", "Source"]


@SOURCES.register
class Digits(Source):
    """The 1,797 handwritten digits of 8×8 pixels that scikit-learn carries (Alpaydin and Kaynak 1998)."""

    name: Literal["digits"]
    resolution: Resolution

    def load(self) -> Store:
        """Return the digits, enlarged by bicubic interpolation in floating point."""
        pixels, labels = _read_digits()
        size = (self.resolution, self.resolution)
        pictures = [
            np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC))
            for grey in (pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.float32)
        ]
        samples = np.stack(pictures).clip(0, 255).round().astype(np.uint8)[..., None]
        return Store(torch.from_numpy(samples), torch.from_numpy(labels.astype(np.int64)), tuple("0123456789"))


def _read_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return pixels [1797, 64], 0–16, and labels [1797] from the file that scikit-learn would read them from.

    Importing scikit-learn for that takes most of a second.
    """
    file = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
    table = np.loadtxt(str(file), delimiter=",")
    return table[:, :-1], table[:, -1]


@SOURCES.register
class Folder(Source):
    """Pictures of any size and mode in a folder or a zip file."""

    placement = frozenset({"path", "workers", "cache"})
    name: Literal["folder"]
    path: str
    subfolder: str | None
    resolution: Resolution | None
    channels: Literal[1, 3]
    fit: Literal["crop", "squash", "pad"]
    range: Range | None
    frames: Literal["first", "all"]
    max_bad_fraction: Annotated[float, Field(ge=0, le=1)]
    workers: Workers | None
    cache: str | None

    @property
    def own(self) -> str:
        """The path, as typed."""
        return self.path

    @property
    def decoding(self) -> Decoding:
        """How pictures are brought to one shape."""
        return Decoding(self.resolution, self.channels, self.fit, self.range, self.frames)

    def load(self) -> Store:
        """Return every picture that decodes, with the classes that its folder, or a `dataset.json`, gives it."""
        store = folder.load(
            self.path,
            self.subfolder,
            self.decoding,
            self.max_bad_fraction,
            self.workers,
            self.cache,
        )
        if len(store) < FEW_PICTURES:
            count = counted(len(store), "picture")
            say(f"only {count}: the generator will learn so few by heart; thousands make a good set")
        return store


import_members("ganctl.data")
