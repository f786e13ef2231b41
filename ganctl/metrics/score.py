"""How sure a classifier is of each sample, and how evenly it sees its classes."""

import math
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from ganctl.metrics.extractor import Extractor
from ganctl.metrics.metric import METRICS, Metric
from ganctl.metrics.sample_sets import Samples
from ganctl.metrics.statistics import Statistics


@METRICS.register
class InceptionScore(Metric):
    """exp E KL(p(y|x) ‖ p(y)) of a classifier's probabilities (Salimans et al. 2016, section 4).

    With ganctl's own classifier it is a classifier score, comparable only with others of that kind.
    """

    needs = frozenset({"logits"})
    value = "inception_score"
    better = "higher"
    name: Literal["inception_score"]
    splits: Annotated[int, Field(ge=1, le=10_000)]

    def check(self, real: Samples, generated: Samples, extractor: Extractor) -> None:
        """Refuse extractors without classes, and fewer samples than there are splits."""
        super().check(real, generated, extractor)
        self.require_count(self.splits, f"for {self.splits} splits", real, generated)

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return `inception_score`, 1 to the number of classes, its `…_std`, and the data's own, `…_real`."""
        scores = self._scores(generated.logits)
        return {
            "inception_score": float(scores.mean()),
            "inception_score_std": float(scores.std(correction=0)),
            "inception_score_real": float(self._scores(real.logits).mean()),
        }

    def _scores(self, logits: Tensor) -> Tensor:
        return torch.stack([score(part) for part in logits.tensor_split(self.splits)])


def score(logits: Tensor) -> Tensor:
    """Return the score of logits [n, classes] as a float64 scalar."""
    log_shares = logits.double().log_softmax(1)
    log_mean = log_shares.logsumexp(0) - math.log(len(logits))
    shares = log_shares.exp()
    gained = torch.where(shares > 0, shares * (log_shares - log_mean), 0)  # 0·log 0 = 0, also where a logit is −∞
    return gained.sum(1).mean().exp()
