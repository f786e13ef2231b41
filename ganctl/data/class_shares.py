"""How often each class comes in a data set, and epochs in which all come equally often."""

import torch
from torch import Tensor

from ganctl.runtime.randomness import permutation

LONGEST_EPOCH = 1 << 22
"""Rows that an epoch of equal shares has at most; a class that has more than its share is then drawn from."""


class ClassShares:
    """The classes that occur among labels, int64 [count], and their shares of an epoch."""

    def __init__(self, labels: Tensor) -> None:
        self._labels = labels
        counts = torch.bincount(labels)
        self._classes = counts.nonzero().flatten()
        self._counts = counts[self._classes]

    @property
    def equal_share(self) -> int:
        """Rows of each class in an epoch of equal shares: as many as the largest class has."""
        return min(int(self._counts.max()), max(1, LONGEST_EPOCH // len(self._classes)))

    @property
    def epoch(self) -> int:
        """Rows of an epoch of equal shares."""
        return len(self._classes) * self.equal_share

    def equal(self, *key: int | str) -> Tensor:
        """Return the rows of an epoch of equal shares, int64 [epoch], class by class; a function of the key.

        The rows of a smaller class come as often as all of them fit into its share, and some once more.
        """
        mixed = permutation(len(self._labels), *key)
        by_class = mixed[self._labels[mixed].argsort(stable=True)]
        first = self._counts.cumsum(0) - self._counts
        turns = torch.arange(self.equal_share) % self._counts[:, None]
        return by_class[(first[:, None] + turns).flatten()]

    def thresholds(self, *, equal: bool) -> tuple[Tensor, Tensor]:
        """Return the classes that occur, int64 [n], and where in [0, 1) the share of each but the first begins.

        The second is float32 [n − 1]; shares are equal, or as the classes are in the data.
        """
        shares = torch.ones_like(self._counts) if equal else self._counts
        return self._classes, (shares.cumsum(0).double() / shares.sum())[:-1].float()
