"""The numbers of one step as they are logged: read from the device in one transfer."""

import torch
from torch import Tensor

from ganctl.config import TrainConfig
from ganctl.game.players import SKIPPED, Player
from ganctl.game.step import Game
from ganctl.runs import health


def measure(game: Game, step: int) -> dict[str, float]:
    """Return losses, terms, logits, accuracy, gradient norms and learning rates of the step just done (from 0).

    `loss/<player>` is the weighted sum of its terms, `term/<player>/<name>` one of them unweighted (a lazy
    term's last value), and `logits/real` and `logits/fake` the means over the discriminator's last batch.
    Where a logit has a boundary between real and fake, `accuracy` is the share of that batch, half real and
    half fake, that the discriminator judged right; where it is 0, `probability/…` are the means of the sigmoids.
    Under fp16, `skipped_updates/<player>` counts those of the run so far whose gradients overflowed.
    `health/…` are the signs of `ganctl.runs.health`.
    """
    scalars: dict[str, Tensor] = {}
    for player in (game.generator, game.discriminator):
        scalars[f"loss/{player.name}"] = _objective(player, step)
    for player in (game.generator, game.discriminator):
        for term in player.terms:
            scalars[f"term/{player.name}/{term.name}"] = player.values[term.name]
        scalars[f"gradient_norm/{player.name}"] = player.values["gradient_norm"]
        if SKIPPED in player.values:
            scalars[f"{SKIPPED}/{player.name}"] = player.values[SKIPPED]
    scalars |= _judgements(game.discriminator.logits, game.boundary)
    scalars |= health.signs(game)
    values = torch.stack([value.float() for value in scalars.values()]).tolist()
    rates = {
        f"learning_rate/{player.name}": player.learning_rate_at(step)
        for player in (game.generator, game.discriminator)
    }
    return dict(zip(scalars, values, strict=True)) | rates


def ordering(config: TrainConfig) -> list[str]:
    """Return the tags of logged numbers by which runs can be put in an order: losses, signs of health, scores."""
    scores = [f"evaluate/{key}/{metric.value}" for key, metric in config.metric.items()]
    losses = ["loss/generator", "loss/discriminator"]
    return losses + list(health.SIGNS) + (scores if config.evaluate.every else [])


def _objective(player: Player, step: int) -> Tensor:
    return torch.stack([player.values[term.name] * term.weight_at(step) for term in player.terms]).sum()


def _judgements(logits: dict[str, Tensor], boundary: float | None) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for side, value in logits.items():
        found[f"logits/{side}"] = value.mean()
        if boundary == 0:
            found[f"probability/{side}"] = value.sigmoid().mean()
    if boundary is not None and logits.keys() >= {"real", "fake"}:
        right = torch.cat([logits["real"] > boundary, logits["fake"] < boundary])
        found["accuracy"] = right.float().mean()
    return found
