"""The numbers of one step as they are logged: read from the device in one transfer."""

import math

import torch
from torch import Tensor

from ganctl.game.players import SKIPPED, Player
from ganctl.game.step import Game

SIGNS = ("health/separation", "health/generator_gradient", "health/diversity")
"""What the signs are called where they are logged."""


def measure(game: Game, step: int, boundary: float | None = 0.0) -> dict[str, float]:
    """Return losses, terms, logits, accuracy, gradient norms and learning rates of the step just done (from 0).

    `loss/<player>` is the weighted sum of its terms, `term/<player>/<name>` one of them unweighted (a lazy
    term's last value), and `logits/real` and `logits/fake` the means over the discriminator's last batch.
    Where the loss has a `boundary` between logits of real and fake, `accuracy` is the share of that batch, half
    real and half fake, on the right side of it; where it is 0, `probability/…` are the means of the sigmoids.
    Under fp16, `skipped_updates/<player>` counts those of the run so far whose gradients overflowed.
    `augment/…` are the strengths of adaptive augmentations, and `health/…` the `signs`. All are means over ranks.
    """
    players = (game.generator, game.discriminator)
    scalars = {f"loss/{player.name}": _objective(player, step) for player in players}
    for player in players:
        for term in player.terms:
            scalars[f"term/{player.name}/{term.name}"] = player.values[term.name]
        scalars[f"gradient_norm/{player.name}"] = player.values["gradient_norm"]
        if SKIPPED in player.values:
            scalars[f"{SKIPPED}/{player.name}"] = player.values[SKIPPED]
    scalars |= {f"augment/{name}": each.value for name, each in game.discriminator.augmenter.strengths.items()}
    scalars |= _of_logits(game.discriminator.last.logits, boundary)
    scalars |= signs(game)
    values = torch.stack([value.float() for value in scalars.values()])
    game.draws.ranks.average([values])
    rates = {f"learning_rate/{player.name}": player.learning_rate_at(step) for player in players}
    return dict(zip(scalars, values.tolist(), strict=True)) | rates


def _objective(player: Player, step: int) -> Tensor:
    return torch.stack([player.values[term.name] * term.weight_at(step) for term in player.terms]).sum()


def _of_logits(logits: dict[str, Tensor], boundary: float | None) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for side, value in logits.items():
        found[f"logits/{side}"] = value.mean()
        if boundary == 0:
            found[f"probability/{side}"] = value.sigmoid().mean()
    if boundary is not None and logits.keys() >= {"real", "fake"}:
        right = torch.stack([logits["real"] > boundary, logits["fake"] < boundary])
        found["accuracy"] = right.float().mean()
    return found


def signs(game: Game) -> dict[str, Tensor]:
    """Return the `health/…` numbers of the step just done, scalars on the device.

    `health/separation` and `health/diversity` are of the discriminator's last batch, and are left out where that
    did not show it both sides; `health/generator_gradient` is the root mean square of the entries of the
    generator's gradient, before clipping.
    """
    found: dict[str, Tensor] = {}
    logits, samples = game.discriminator.last.logits, game.discriminator.last.samples
    if logits.keys() >= {"real", "fake"}:
        found["health/separation"] = separation(logits["real"], logits["fake"])
    weights = sum(parameter.numel() for parameter in game.generator.parameters)
    found["health/generator_gradient"] = game.generator.values["gradient_norm"] / math.sqrt(weights)
    if samples.keys() >= {"real", "fake"}:
        found["health/diversity"] = diversity(samples["real"], samples["fake"])
    return found


def separation(real: Tensor, fake: Tensor) -> Tensor:
    """Return the share of pairs of a real and a generated sample in which the real one has the higher logit.

    Logits are of one shape; a tie counts half. 0.5 is guessing, 1 is telling all apart. (The area under the
    receiver operating characteristic: Hanley and McNeil 1982.)
    """
    ordered, real = fake.flatten().sort().values, real.flatten()
    below = torch.searchsorted(ordered, real) + torch.searchsorted(ordered, real, right=True)
    return below.to(real.dtype).mean() / (2 * len(ordered))


def diversity(real: Tensor, fake: Tensor) -> Tensor:
    """Return the mean distance between generated samples over that between real ones, by all of their values.

    Samples are [count, …] each. 1 is as varied as the data, 0 all alike; not finite where the real samples are
    all alike, or where a side holds fewer than two.
    """
    return _mean_distance(fake) / _mean_distance(real)


def _mean_distance(samples: Tensor) -> Tensor:
    values = samples.flatten(1)
    # Seen from one of them, samples that are alike lie near 0, where the fast way by a product is exact enough.
    values = values - values[:1]
    distances = torch.cdist(values, values, compute_mode="use_mm_for_euclid_dist")
    return distances.sum() / (len(samples) * (len(samples) - 1))
