"""Numbers of the nearest neighbours, and of features that are bytes."""

import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from ganctl.metrics import manifolds
from tests.metrics.measured import CPU, normal


@pytest.mark.parametrize("count", [1, 3])
def test_neighbours_and_their_distances_are_scikit_learns_also_across_blocks(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifolds, "ROWS", 7)
    monkeypatch.setattr(manifolds, "VALUES", 11 * 5)  # blocks of 11 columns
    features, others = normal(20, 5, 0), normal(60, 5, 1)
    found, places = manifolds.closest(features, others, CPU, count)
    distances, expected = NearestNeighbors(n_neighbors=count).fit(others.double()).kneighbors(features.double())
    torch.testing.assert_close(found, torch.from_numpy(distances))
    assert places.tolist() == expected.tolist()


def test_a_feature_among_the_others_is_not_its_own_neighbour() -> None:
    others = torch.tensor([0.0, 1, 3, 10])[:, None]
    found, places = manifolds.closest(others[[3, 0]], others, CPU, 2, torch.tensor([3, 0]))
    assert found.tolist() == [[7, 9], [1, 3]]
    assert places.tolist() == [[2, 1], [1, 2]]


def test_bytes_have_the_distances_of_their_numbers() -> None:
    pixels = torch.randint(0, 256, (30, 9), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for found, expected in zip(
        manifolds.closest(pixels[:5], pixels, CPU, 3),
        manifolds.closest(pixels[:5].float(), pixels.float(), CPU, 3),
        strict=True,
    ):
        assert torch.equal(found, expected)
