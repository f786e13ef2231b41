import pytest
import torch

from ganctl.data.store import Store
from ganctl.samples import IMAGES, POINTS, SampleSpace

PIXELS = torch.arange(12, dtype=torch.uint8).reshape(2, 2, 3, 1)
LABELS = torch.tensor([0, 1])


def test_the_fingerprint_follows_the_content_and_not_the_object():
    assert Store(PIXELS, LABELS).fingerprint == Store(PIXELS.clone(), LABELS.clone()).fingerprint


def test_the_fingerprint_is_the_one_that_checkpoints_hold():
    expected = "1995d11098c2edf60e86ef02757ea37120fa6fccc82645043768218b62a8b71b"
    assert Store(PIXELS, LABELS).fingerprint == expected


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Store(PIXELS + (PIXELS == 11).byte(), LABELS), id="one pixel"),
        pytest.param(Store(PIXELS.flip(0), LABELS), id="order"),
        pytest.param(Store(PIXELS.reshape(2, 3, 2, 1), LABELS), id="shape"),
        pytest.param(Store(PIXELS.view(torch.int8), LABELS), id="type"),
        pytest.param(Store(PIXELS, LABELS.flip(0)), id="labels"),
        pytest.param(Store(PIXELS), id="no labels"),
    ],
)
def test_the_fingerprint_changes_with_what_is_trained_on(other):
    assert other.fingerprint != Store(PIXELS, LABELS).fingerprint


def test_the_fingerprint_ignores_how_samples_lie_in_memory():
    scattered = PIXELS.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3)
    assert not scattered.is_contiguous()
    assert Store(scattered, LABELS).fingerprint == Store(PIXELS, LABELS).fingerprint


def test_images_and_points_know_their_count_and_shape():
    images, points = Store(PIXELS), Store(torch.zeros(7, 2))
    assert (len(images), images.space) == (2, SampleSpace(IMAGES, (1, 2, 3)))
    assert (len(points), points.space) == (7, SampleSpace(POINTS, (2,)))


def test_a_store_describes_itself():
    pixels = torch.zeros(1797, 32, 24, 3, dtype=torch.uint8)
    assert Store(pixels).describe() == "1,797 images of 32×24×3"
    labels = torch.zeros(1797, dtype=torch.int64)
    assert Store(pixels, labels, ("cat", "dog")).describe() == "1,797 images of 32×24×3 in 2 classes"
    assert Store(torch.zeros(100_000, 2)).describe() == "100,000 points of 2 dimensions"
