"""Samples in frames, laid out as one image or one frame after the other."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ganctl.errors import ConfigError
from ganctl.images.animation import require_size
from ganctl.images.png import GAP, captioned, enlarged, grid, titled

WIDTH = 256
"""Pixels that a frame of an animation is enlarged to, if it is narrower."""

MOST_PIXELS = 1 << 28
"""Of one picture with all frames."""


@dataclass(frozen=True)
class Film:
    """Samples, [frames, samples, …], and how they are shown if they are images.

    The samples of a frame lie in so many columns, or as square as can be. `rows` name the samples of a frame,
    `titles` the frames, where they have names.
    """

    samples: np.ndarray
    columns: int | None = None
    rows: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)

    def strip(self, scale: int | None) -> np.ndarray:
        """Return all images as one, uint8 [height, width, channels], each pixel `scale` a side, or 1.

        Frames follow from left to right, in a row for each sample of a frame; or each frame is a row, if it has a
        title.
        """
        samples = self.samples if self.titles else self.samples.swapaxes(0, 1)
        rows, columns, *shape = samples.shape
        if (pixels := rows * columns * shape[0] * shape[1] * (scale or 1) ** 2) > MOST_PIXELS:
            raise ConfigError(f"scale: one picture of {pixels:,} pixels; take a smaller scale or fewer steps")
        sheet = grid(enlarged(samples.reshape(rows * columns, *shape), scale or 1), columns)
        names = self.titles or self.rows
        return captioned(sheet, names) if names else sheet

    def frames(self, scale: int | None) -> Iterator[np.ndarray]:
        """Yield frames, uint8 [height, width, channels], each pixel `scale` a side, or until `WIDTH` is reached.

        Raises `ConfigError` if they are too large.
        """
        _, count, height, width, _ = self.samples.shape
        columns = self.columns or math.ceil(math.sqrt(count))
        factor, gap = scale or math.ceil(WIDTH / (columns * width)), GAP if count > 1 else 0
        rows = math.ceil(count / columns)
        require_size(rows * (height * factor + gap) + gap, columns * (width * factor + gap) + gap)
        for number, samples in enumerate(self.samples):
            frame = grid(enlarged(samples, factor), columns, gap)
            yield titled(frame, self.titles[number]) if self.titles else frame
