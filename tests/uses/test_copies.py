"""Which real samples are nearest: against numpy, and the same numbers as the metric nearest_neighbour."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganctl.data.store import Store
from ganctl.errors import ConfigError
from ganctl.metrics.manifolds import NearestNeighbour
from ganctl.metrics.sample_sets import of_store, of_tensor
from ganctl.uses.copies import Nearest, feature_vectors, nearest_real, pixel_vectors
from tests.metrics.measured import CPU, computed, metric, raw, source


def images(count: int, seed: int) -> Tensor:
    numbers = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 4, 4, 1), generator=numbers, dtype=torch.uint8)


def by_features(rows: Tensor, store: Store, count: int, examples: int, cache: Path) -> Nearest:
    vectors = feature_vectors(rows, store, source("digits"), raw(store.samples), str(cache))
    return nearest_real(vectors, count, examples, CPU)


def by_numpy(rows: Tensor, store: Store) -> np.ndarray:
    generated, real = (each.flatten(1).double().numpy() / 255 for each in (rows, store.samples))
    distances: np.ndarray = np.sqrt(((generated[:, None] - real) ** 2).sum(2))
    return distances


def test_neighbours_are_those_of_all_distances_by_pixels_and_by_features(tmp_path: Path) -> None:
    rows, store = images(7, 0), Store(images(50, 1))
    distances = by_numpy(rows, store)
    order = distances.argsort(1)[:, :3]
    found = nearest_real(pixel_vectors(rows, store), 3, 20, CPU), by_features(rows, store, 3, 20, tmp_path)
    for each in found:
        assert each.places.tolist() == order.tolist()
        # features are shares of 255 in float32
        np.testing.assert_allclose(each.distances, np.take_along_axis(distances, order, 1), rtol=1e-6)
        assert each.examined == 20


def test_copies_are_found_where_they_lie_in_the_data(tmp_path: Path) -> None:
    store = Store(images(50, 1))
    chosen = [31, 4, 49]
    rows = store.samples[chosen]
    for found in nearest_real(pixel_vectors(rows, store), 2, 50, CPU), by_features(rows, store, 2, 50, tmp_path):
        assert found.places[:, 0].tolist() == chosen
        assert found.distances[:, 0].tolist() == [0, 0, 0]
        assert found.distances[:, 1].min() > 0
        assert found.compared["copies"] == 1
        assert found.compared["distance_ratio"] == 0


@pytest.mark.parametrize("examples", [2, 20, 1000])
def test_distances_compare_as_the_metric_of_the_name_has_it(examples: int, tmp_path: Path) -> None:
    rows, store = torch.cat([images(30, 0), images(5, 1)]), Store(images(50, 1))
    which = metric("nearest_neighbour", num=max(examples, 50))
    assert isinstance(which, NearestNeighbour)
    expected = computed(which, of_store(store, None), of_tensor(rows))
    found = nearest_real(pixel_vectors(rows, store), 1, which.num, CPU)
    assert found.compared == pytest.approx(expected)
    assert by_features(rows, store, 1, which.num, tmp_path).compared == pytest.approx(expected)
    assert 0 < expected["copies"] < 1
    few = nearest_real(pixel_vectors(rows, store), 1, examples, CPU)
    assert few.examined == min(examples, 50)
    assert few.compared["distance"] == pytest.approx(expected["distance"])
    assert by_features(rows, store, 1, examples, tmp_path).compared == pytest.approx(few.compared)


def test_points_have_the_distances_of_their_coordinates() -> None:
    store = Store(torch.tensor([[0.0, 0], [3, 4], [30, 40]]))
    found = nearest_real(pixel_vectors(torch.tensor([[0.0, 0], [3, 3]]), store), 2, 3, CPU)
    assert found.places.tolist() == [[0, 1], [1, 0]]
    torch.testing.assert_close(found.distances, torch.tensor([[0, 5], [1, 18**0.5]], dtype=torch.float64))
    assert found.compared["distance_real"] == 5


def test_more_neighbours_than_there_are_are_refused() -> None:
    store = Store(images(4, 0))
    with pytest.raises(ConfigError, match=r"^k: 4 of 4 real samples cannot be the nearest; take 3"):
        nearest_real(pixel_vectors(images(2, 1), store), 4, 10, CPU)
