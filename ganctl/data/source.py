"""What every source of real samples is, and the table of them."""

import os
import re
from typing import Annotated, ClassVar

import numpy as np
from PIL import Image
from pydantic import AfterValidator, Field

from ganctl.data.store import Store
from ganctl.registry import Component, Family
from ganctl.samples import IMAGES, Kind

Resolution = Annotated[int, Field(ge=8, le=1024)]
Workers = Annotated[int, Field(ge=1, le=1024)]

LONGEST_TITLE = 40


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] >= ends[1]:
        raise ValueError("must rise, black first, such as [-1,1]")
    return ends


Range = Annotated[tuple[float, float], Field(strict=False), AfterValidator(_rising)]
"""The values that are black and white."""


class Source(Component):
    """A data set by name."""

    placement: ClassVar[frozenset[str]] = frozenset()
    """Keys that say where the data is or how it is read; they do not change what is read."""

    stacked: ClassVar[bool] = False
    """Whether each channel is an image of its own, and a sample's class the list of its channels' classes."""

    @property
    def own(self) -> str | None:
        """The path, as typed, of data of the user's own; None for sets that their name tells."""
        return getattr(self, "path", None)

    @property
    def title(self) -> str:
        """What a run's name calls the set: its name, or the last part of the path of the user's own.

        That is letters, digits, `_`, `.` and `+`, at most `LONGEST_TITLE` of them.
        """
        if self.own is None:
            return self.name
        last = os.path.basename(os.path.abspath(os.path.expanduser(self.own)))
        words = re.sub(r"[^\w.+]+", "_", re.sub(r"\.(zip|npy|npz|csv)$", "", last)).strip("_.+")
        return words[:LONGEST_TITLE] or self.name

    @property
    def kind(self) -> Kind:
        """What samples are; known without reading more than a file's header.

        Raises `DataError` if there is such a file and its header cannot be read.
        """
        return IMAGES

    @property
    def balanced(self) -> bool:
        """Whether every class is served equally often."""
        return False

    def load(self) -> Store:
        """Return the samples.

        Raises `DataError` for data that is missing or cannot be used.
        """
        raise NotImplementedError

    def labelled(self, store: Store) -> Store:
        """Return images to teach a classifier by: the store that `load` gave, or the single ones it stacks.

        Raises `DataError` for data that is missing or cannot be used.
        """
        return store


class LabelledSource(Source):
    """A data set whose samples may have classes, of which some may be rarer than others."""

    balance: bool

    @property
    def balanced(self) -> bool:
        """Whether every class is served equally often, as `balance` says."""
        return self.balance


SOURCES: Family[Source] = Family("data")


def resize(pixels: np.ndarray, side: int) -> np.ndarray:
    """Return images [count, height, width] or [count, height, width, 3], uint8 or float32, as squares of `side`.

    Bicubic, over a wider window where images shrink, so that no pixel is skipped.
    """
    if pixels.shape[1:3] == (side, side):
        return pixels
    sized = [Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC) for image in pixels]
    return np.stack([np.asarray(image) for image in sized])
