"""The small digits that need no download."""

from importlib.metadata import distribution
from typing import Literal

import numpy as np
import torch

from ganctl.data.source import SOURCES, LabelledSource, Resolution, resize
from ganctl.data.store import Store


@SOURCES.register
class Digits(LabelledSource):
    """The 1,797 handwritten digits of 8×8 pixels that scikit-learn carries (Alpaydin and Kaynak 1998)."""

    name: Literal["digits"]
    resolution: Resolution

    def load(self) -> Store:
        """Return the digits, enlarged by bicubic interpolation in floating point.

        They are read from the file that scikit-learn reads; importing it would take most of a second.
        """
        file = distribution("scikit-learn").locate_file("sklearn/datasets/data/digits.csv.gz")
        table = np.loadtxt(str(file), delimiter=",")
        pixels = resize((table[:, :-1].reshape(-1, 8, 8) * (255 / 16)).astype(np.float32), self.resolution)
        samples = pixels.clip(0, 255).round().astype(np.uint8)[..., None]
        labels = torch.from_numpy(table[:, -1].astype(np.int64))
        return Store(torch.from_numpy(samples), labels, tuple("0123456789"))
