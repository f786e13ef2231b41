"""Transitions of generated sequences, judged by a first-order model of real ones."""

import math
from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from ganctl.auxiliary.auxiliary import AUXILIARIES, Auxiliary
from ganctl.game.round import Round, Surroundings
from ganctl.processes.ranks import Ranks

Likelihood = Callable[[Tensor], Tensor]
"""The mean negative log-likelihood of sequences' transitions, in nats."""

LEAST_VARIANCE = 1e-12
"""Of what a transition adds: a batch whose values follow exactly from one another has a likelihood, too."""


@AUXILIARIES.register
class Markov(Auxiliary):
    """−E log p(x_t | x_{t−1}) of generated sequences, p a first-order model fitted to the batch's real ones.

    Of values, each channel by itself, p is N(a + b x_{t−1}, s²) by least squares; of `symbols` 0, 1, …, the shares
    of the transitions that are counted. Sequences without any innovation minimise this term (`likelihood`). Its
    `divergence` subtracts the same of a model fitted to the generated ones, their entropy: the rest is the
    Kullback-Leibler divergence of the two models, least, 0, where they are one (of few symbols but for what
    `_counted` adds).
    """

    reads_real = True
    name: Literal["markov"]
    form: Literal["divergence", "likelihood"]
    symbols: Annotated[int, Field(ge=2, le=256)] | None

    def build(self, surroundings: Surroundings) -> Callable[[Round], Tensor]:
        """Return the term of a batch."""
        surroundings.space.require_sequences("auxiliary: markov reads sequences", "leave it out")
        return self

    def __call__(self, round: Round) -> Tensor:
        """Return nats a transition, the mean over channels."""
        term = self.fitted(round.real)(round.fake)
        return term - self.fitted(round.fake)(round.fake) if self.form == "divergence" else term

    def fitted(self, sequences: Tensor) -> Likelihood:
        """Return the likelihood of others under a model fitted to sequences [count, channels, length]."""
        return _normal(sequences) if self.symbols is None else _counted(sequences, self.symbols)


def _normal(sequences: Tensor) -> Likelihood:
    before, after = sequences[..., :-1], sequences[..., 1:]
    axes, ranks = (0, 2), Ranks.here()
    middle, end = (ranks.mean(part.mean(axes, keepdim=True)) for part in (before, after))
    apart = before - middle
    spread = ranks.sum(apart.square().sum(axes, keepdim=True)).clamp_min(LEAST_VARIANCE)
    slope = ranks.sum((apart * (after - end)).sum(axes, keepdim=True)) / spread
    missed = (after - end - slope * apart).square().mean(axes, keepdim=True)
    variance = ranks.mean(missed).clamp_min(LEAST_VARIANCE)

    def likelihood(others: Tensor) -> Tensor:
        missed = others[..., 1:] - end - slope * (others[..., :-1] - middle)
        return (missed.square() / variance + variance.log() + math.log(2 * math.pi)).mean() / 2

    return likelihood


def _counted(sequences: Tensor, symbols: int) -> Likelihood:
    seen = Ranks.here().sum(_transitions(sequences, symbols))
    counts = 1 + seen  # what is rare is not impossible
    surprise = -(counts / counts.sum(-1, keepdim=True)).log()

    def likelihood(others: Tensor) -> Tensor:
        found = _transitions(others, symbols)
        return (found * surprise).sum() / found.sum()

    return likelihood


def _transitions(sequences: Tensor, symbols: int) -> Tensor:
    """Return how often one symbol follows another, [channels, symbols, symbols].

    A value between two whole numbers counts as both, in proportion to its nearness, so that gradients exist.
    """
    values = sequences.clamp(0, symbols - 1)[..., None]
    shares = (1 - (values - values.new_tensor(range(symbols))).abs()).clamp_min(0)
    before, after = (part.transpose(0, 1).flatten(1, 2) for part in (shares[..., :-1, :], shares[..., 1:, :]))
    with torch.autocast(sequences.device.type, enabled=False):
        return before.transpose(1, 2) @ after
