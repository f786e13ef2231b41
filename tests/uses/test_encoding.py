"""An encoder learns what its generator does, and tells which class comes nearest."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ganctl.models import Discriminator
from ganctl.models.latents import LatentSpace
from ganctl.uses.encoding import Encoder, nearest_class, taught

SOURCE = torch.Generator().manual_seed(0)
MATRIX = torch.randn(3, 8, generator=SOURCE)


class Plain(Discriminator):
    """Features that are the samples themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 8)

    def features(self, samples: Tensor) -> Tensor:
        return self.layer(samples)  # type: ignore[no-any-return]


def linear(latents: Tensor, labels: Tensor | None) -> Tensor:
    made = latents @ MATRIX
    return made if labels is None else made + 10 * labels[:, None]


def test_a_linear_generator_is_encoded() -> None:
    space = LatentSpace(3)
    torch.manual_seed(0)
    encoder = Encoder(Plain(), 8, space)
    batches = [(linear(torch.randn(64, 3, generator=SOURCE), None), None) for _ in range(600)]
    taught(encoder, linear, lambda images: images, batches, 600, 0.01)
    known = torch.randn(20, 3, generator=SOURCE)
    assert torch.allclose(encoder(linear(known, None)), known, atol=0.05)
    assert not encoder.training


def test_codes_are_shares_and_values_within_the_prior() -> None:
    space = LatentSpace(2, "uniform", categorical=(3, 2), continuous=1)
    latents = Encoder(Plain(), 8, space)(100 * torch.randn(5, 8, generator=SOURCE)).detach()
    assert latents.shape == (5, space.width)
    assert torch.allclose(latents[:, 2:5].sum(1), torch.ones(5))
    assert torch.allclose(latents[:, 5:7].sum(1), torch.ones(5))
    assert latents.abs().max() <= 1


@pytest.mark.parametrize("classes", [0, 4])
def test_the_class_that_comes_nearest_is_taken(classes: int) -> None:
    latents, labels = torch.randn(6, 3, generator=SOURCE), torch.arange(6) % 4 if classes else None
    images = linear(latents, labels)
    made, told = nearest_class(lambda _: latents, linear, lambda each: each, images, classes)
    assert torch.equal(made, images)
    assert (told is None) if labels is None else np.array_equal(told, labels)
