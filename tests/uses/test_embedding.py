"""Maps: what lies apart stays apart, and the same vectors give the same places."""

from itertools import combinations

import numpy as np
import pytest

from ganctl.errors import ConfigError
from ganctl.uses.embedding import nearest_to_cells, plane

METHODS = ("pca", "tsne")


def clusters(each: int = 30, width: int = 60) -> np.ndarray:
    """Return three groups of vectors, far apart and one after the other."""
    source = np.random.default_rng(0)
    centres = np.repeat(10 * np.eye(3, width), each, 0)
    return (centres + source.standard_normal(centres.shape) * 0.3).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_clusters_stay_apart_and_the_same_vectors_have_the_same_places(method) -> None:
    found = plane(clusters(), method, 10)
    assert (found.places.shape, found.places.dtype) == ((90, 2), np.float64)
    groups = np.split(found.places, 3)
    widths = [np.linalg.norm(group - group.mean(0), axis=1).max() for group in groups]
    for (one, first), (other, second) in combinations(zip(groups, widths, strict=True), 2):
        assert np.linalg.norm(one.mean(0) - other.mean(0)) > first + second
    assert np.array_equal(plane(clusters(), method, 10).places, found.places)


def test_principal_components_have_the_largest_variance() -> None:
    vectors = np.random.default_rng(1).standard_normal((200, 5)) * [1, 5, 2, 0.1, 3]
    found = plane(vectors, "pca", 30)
    variances = np.linalg.eigvalsh(np.cov(vectors.T))[::-1]
    assert found.places.var(0, ddof=1) == pytest.approx(variances[:2])
    assert found.kept == pytest.approx(variances[:2].sum() / variances.sum())
    assert found.axes[1] == f"second component ({variances[1] / variances.sum():.0%})"
    assert found.places.mean(0) == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("width", [1, 2])
def test_few_narrow_vectors_have_places_too(method, width) -> None:
    vectors = np.arange(8.0)[:, None] * np.ones(width)
    found = plane(vectors, method, 30)
    assert found.places.shape == (8, 2)
    assert len(np.unique(found.places, axis=0)) == 8
    if method == "pca":
        assert np.array_equal(found.places[:, :width], vectors)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("vectors", "told"),
    [
        (np.ones((9, 3)), "space: all samples are the same"),
        (np.full((9, 3), np.inf), "space: holds numbers that are"),
    ],
)
def test_what_has_no_map_is_told(method, vectors, told) -> None:
    with pytest.raises(ConfigError, match=told):
        plane(vectors, method, 30)


def test_each_cell_shows_the_point_nearest_to_its_middle() -> None:
    places = np.array([[0, 0], [0.9, 0.9], [1.1, 0.9], [4, 4], [3.4, 3.6], [4, 0]], float)
    found = nearest_to_cells(places, 2)  # cells of width 2, whose middles are 1 and 3
    assert sorted(map(tuple, found.tolist())) == [(0, 1, 4), (1, 0, 1), (1, 1, 5)]


def test_the_longer_side_fills_the_grid_and_the_shorter_one_lies_in_its_middle() -> None:
    found = nearest_to_cells(np.stack([np.linspace(0, 1, 50), np.zeros(50)], 1), 5)
    assert found[:, 0].tolist() == [2] * 5
    assert sorted(found[:, 1].tolist()) == [0, 1, 2, 3, 4]
    (alone,) = nearest_to_cells(np.ones((3, 2)), 5)
    assert alone[:2].tolist() == [2, 2]
