"""Vectors of many dimensions in a plane, and which of them stand for their surroundings."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ganctl.errors import ConfigError

Method = Literal["pca", "tsne"]

DIMENSIONS = 50
"""Principal components that t-SNE is given of wider vectors (as van der Maaten and Hinton 2008, section 4.2)."""

NEIGHBOURHOODS = 3
"""t-SNE compares each vector with so many times as many others as the perplexity says."""


@dataclass(frozen=True)
class Plane:
    """Places [count, 2], names of the axes, empty where they mean nothing, and the share of variance, if known."""

    places: np.ndarray
    axes: tuple[str, str] = ("", "")
    kept: float | None = None


def plane(vectors: np.ndarray, method: Method, perplexity: float) -> Plane:
    """Return vectors, float [count, width], in a plane, float64, the same each time.

    `pca` takes the two directions of largest variance, and vectors of two coordinates or one as they are. `tsne`
    keeps neighbours together, about `perplexity` of each, or as many as there can be (van der Maaten and Hinton
    2008); axes and large distances have no meaning.
    Raises `ConfigError` for vectors that are all the same or not finite.
    """
    if not np.isfinite(vectors).all():
        raise ConfigError("space: holds numbers that are not finite, which have no place on a map")
    if (vectors == vectors[0]).all():
        raise ConfigError("space: all samples are the same in it, so there is no map")
    if method == "pca" and vectors.shape[1] <= 2:
        return Plane(_padded(vectors.astype(np.float64)), ("first coordinate", "second coordinate"))
    if method == "pca":
        places, (first, second, *_) = _principal(vectors, 2)
        axes = (f"first component ({first:.0%} of the variance)", f"second component ({second:.0%})")
        return Plane(places, axes, first + second)
    from sklearn.manifold import TSNE

    wide = vectors.shape[1] > DIMENSIONS
    given = _principal(vectors, min(DIMENSIONS, len(vectors)))[0] if wide else vectors.astype(np.float64)
    least = min(perplexity, (len(vectors) - 1) / NEIGHBOURHOODS)
    found = TSNE(perplexity=least, init="pca", learning_rate="auto", random_state=0)
    return Plane(found.fit_transform(_padded(given)).astype(np.float64))


def _principal(vectors: np.ndarray, dimensions: int) -> tuple[np.ndarray, list[float]]:
    """Return the first principal components of vectors, and their shares of the variance."""
    from sklearn.decomposition import PCA

    found = PCA(dimensions, random_state=0)
    return found.fit_transform(vectors.astype(np.float64)), found.explained_variance_ratio_.tolist()


def _padded(vectors: np.ndarray) -> np.ndarray:
    """Return vectors with two columns at least."""
    return np.pad(vectors, ((0, 0), (0, max(0, 2 - vectors.shape[1]))))


def nearest_to_cells(places: np.ndarray, cells: int) -> np.ndarray:
    """Return which points [count, 2] to show on a square grid of so many cells a side, int64 [shown, 3].

    That is row (from above), column and the index of the point nearest to the middle, for each cell with a point.
    Both axes have one scale, and the points lie in the middle of the longer one.
    """
    low, high = places.min(0), places.max(0)
    reach = max(float((high - low).max()), np.finfo(np.float64).tiny)
    unit = (places - (low + high) / 2) / reach + 0.5
    cell = np.minimum((unit * cells).astype(np.int64), cells - 1)
    distance = np.square(unit * cells - cell - 0.5).sum(1)
    order = np.lexsort((distance, cell[:, 0], cell[:, 1]))
    _, first = np.unique(cell[order], axis=0, return_index=True)
    chosen = order[first]
    return np.stack([cells - 1 - cell[chosen, 1], cell[chosen, 0], chosen], 1)
