import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ganctl.errors import ConfigError
from ganctl.metrics import of_tensor
from ganctl.metrics.score import score
from ganctl.metrics.statistics import Statistics
from tests.metrics.measured import metric, normal, raw


def scored(real: Tensor, generated: Tensor, splits: int) -> dict[str, float]:
    look = replace(raw(torch.zeros(1, 2)), classes=real.shape[1])
    sides = [Statistics(of_tensor(side), look, {"logits": side}) for side in (real, generated)]
    return metric("inception_score", splits=splits).compute(*sides, 0)


def test_sure_and_even_samples_score_the_number_of_classes_and_all_alike_score_one() -> None:
    sure = 50 * torch.eye(8).repeat(5, 1)
    assert score(sure).item() == pytest.approx(8)
    assert score(sure[:1].repeat(40, 1)).item() == pytest.approx(1)
    assert score(torch.zeros(40, 8)).item() == pytest.approx(1)
    assert scored(sure, sure[:1].repeat(40, 1), 1)["inception_score_real"] == pytest.approx(8)


def test_the_score_is_torch_fidelitys() -> None:
    fidelity = pytest.importorskip("torch_fidelity.metric_isc")
    logits = 3 * normal(1000, 10, 0)
    theirs = fidelity.isc_features_to_metric(logits, splits=10, shuffle=False)
    ours = scored(logits, logits, 10)
    assert ours["inception_score"] == pytest.approx(theirs["inception_score_mean"], rel=1e-9)
    assert ours["inception_score_std"] == pytest.approx(theirs["inception_score_std"], rel=1e-6)


def test_it_needs_classes() -> None:
    points = of_tensor(normal(100, 2, 0))
    with pytest.raises(
        ConfigError, match=r"^metric.inception_score: reads classes, which metric/features=raw does"
    ):
        metric("inception_score").check(points, points, raw(points.first(1)))


def test_a_logit_of_minus_infinity_is_a_probability_of_0() -> None:
    sure = torch.tensor([[0.0, -math.inf, -math.inf], [-math.inf, 0.0, -math.inf]])
    assert float(score(sure)) == pytest.approx(2)
