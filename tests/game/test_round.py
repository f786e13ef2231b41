"""What terms read of a batch: computed once, from what was declared, with labels where there are any."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganctl.errors import ConfigError
from ganctl.game.round import Networks, Round
from ganctl.models import Discriminator
from ganctl.runtime.device import Device
from tests.game.games import small_game

CPU = Device(torch.device("cpu"), "fp32", False)


class Shifted(nn.Module):
    """G(z, y) = z + y."""

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return latents if labels is None else latents + labels[:, None]


class Projected(Discriminator):
    """D(x, y) = Σx · (1 + y)."""

    def features(self, samples: Tensor) -> Tensor:
        return samples.sum(1)

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        return features if labels is None else features * (1 + labels)


def round_of(**feed: Tensor) -> Round:
    return Round(Networks(Shifted(), Projected(), CPU), feed)


LATENTS, REAL = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[5.0, 6.0], [7.0, 8.0]])


def test_without_labels_networks_are_given_none() -> None:
    this = round_of(latents=LATENTS, real=REAL.clone())
    assert torch.equal(this.fake_logits, torch.tensor([3.0, 7.0]))
    assert torch.equal(this.real_logits, torch.tensor([11.0, 15.0]))


def test_labels_reach_the_generator_and_the_logits_of_their_side() -> None:
    this = round_of(
        latents=LATENTS, real=REAL.clone(), fake_labels=torch.tensor([0, 1]), real_labels=torch.tensor([2, 0])
    )
    assert torch.equal(this.fake, torch.tensor([[1.0, 2.0], [4.0, 5.0]]))
    assert torch.equal(this.fake_logits, torch.tensor([3.0, 18.0]))
    assert torch.equal(this.real_logits, torch.tensor([33.0, 15.0]))
    assert torch.equal(this.real_gradient, torch.tensor([[3.0, 3.0], [1.0, 1.0]]))


@pytest.mark.parametrize(
    ("read", "told"),
    [
        (
            lambda this: this.real,
            "a term reads 'real' and does not declare it; add reads_real = True to its class",
        ),
        (
            lambda this: this.uniform("shares"),
            'a term reads \'shares\' and does not declare it; add draws = {"shares": "uniform"} to its class',
        ),
        (
            lambda this: this.noise("shift"),
            'a term reads \'shift\' and does not declare it; add draws = {"shift": "normal"} to its class',
        ),
    ],
)
def test_what_a_term_does_not_declare_is_refused_with_what_to_add(read: Any, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(round_of(latents=LATENTS))
    assert str(refused.value) == told


@pytest.mark.parametrize("norm", ["spectral", "none"])
def test_weights_are_those_of_both_networks_without_embeddings_of_classes(norm: str) -> None:
    words = (f"model.discriminator.norm={norm}", "model.generator.norm=spectral")
    plain, labelled = (small_game(*words, f"model.conditional={given}") for given in ("false", "true"))
    for name in ("weights", "generator_weights"):
        ours, theirs = (getattr(Round(game.networks, {}), name) for game in (plain, labelled))
        assert len(ours) == len(theirs) >= 2
        assert [weight.dim() for weight in ours] == [4] * len(ours)
