"""Lazy terms merged into updates, as ganctl does it, beside steps of their own with rescaled rates, as StyleGAN2.

python -m scripts.tables.lazy --seeds 0,1 [further words of ganctl]: the same networks, data and steps.
"""

import argparse
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch

from ganctl.config import train_config
from ganctl.game.build import build_game, open_configured
from ganctl.game.players import Update
from ganctl.game.step import Game, Plan, learn, train_step
from ganctl.runs.evaluation import Evaluation
from ganctl.runtime.memory import keep_freed_memory
from scripts.tables.runs import composed

WORDS = (
    "model=stylegan2",
    "model.generator={width: 16, max_width: 64}",
    "model.discriminator={width: 16, max_width: 64}",
    "model.latent=64",
    "data=mnist",
    "penalty.r1={weight: 0.2, every: 16}",
    "auxiliary=[path_length]",
    "optimizer.lr=0.0025",
    "optimizer.betas=[0,0.99]",
    "train.steps=1500",
    "train.batch_size=32",
    "evaluate.num=5000",
    "device.threads=1",
)


def rescale(game: Game) -> None:
    """Make up for the further steps: rate and betas for k steps among k + 1 (Karras et al. 2020, appendix B)."""
    for player in (game.generator, game.discriminator):
        every = max(term.every for term in player.terms)
        share = every / (every + 1) if every > 1 else 1.0
        player.learning_rate *= share
        for group in player.optimizer.param_groups:
            group["betas"] = tuple(beta**share for beta in group["betas"])


def separate(game: Game, plans: list[Plan]) -> list[Update]:
    """Make the updates of a step, and after each one of its lazy terms by themselves."""
    updates, generated = [], None
    for plan in plans:
        feeds = list(plan.feeds)
        update, generated = learn(game, _of(plan, feeds, lazy=False), generated)
        updates.append(update)
        alone = _of(plan, feeds, lazy=True)
        if alone.due:
            learn(game, replace(alone, shares=False))
    return updates


def _of(plan: Plan, feeds: Iterable[Any], *, lazy: bool) -> Plan:
    chosen = [pair for pair in zip(plan.due, plan.weights, strict=True) if (pair[0].every > 1) == lazy]
    return replace(plan, feeds=feeds, due=[term for term, _ in chosen], weights=[weight for _, weight in chosen])


def trained(words: list[str], *, apart: bool) -> dict[str, float]:
    """Return the metrics of the averaged generator after a training."""
    config = train_config(composed(["train", *WORDS, *words]))
    device, store = open_configured(config.device, config.data.kind), config.data.load()
    game = build_game(config, store, device)
    if apart:
        rescale(game)
        game.replay = separate
    for step in range(config.train.steps):
        train_step(game, step)
    game.check()
    assert game.ema is not None
    return Evaluation(config, store, device).measure(game.ema.average).scalars()


def main() -> None:
    """Print the metrics of both conventions for each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", default="0,1")
    options, words = parser.parse_known_args()
    keep_freed_memory()
    for seed in options.seeds.split(","):
        for apart in (False, True):
            torch.manual_seed(0)
            found = trained([f"seed={seed}", *words], apart=apart)
            told = ", ".join(f"{name} {value:.4g}" for name, value in found.items())
            print(f"seed {seed}, {'apart' if apart else 'merged'}: {told}", flush=True)


if __name__ == "__main__":
    main()
