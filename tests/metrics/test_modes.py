import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ganctl.errors import ConfigError, DataError
from ganctl.metrics import Samples, of_store, of_tensor
from ganctl.metrics.statistics import Statistics
from tests.metrics.measured import computed, metric, normal, raw, source


def ring(num: int = 8000) -> Samples:
    which = source("ring", num=num)
    return of_store(which.load(), which)


def test_samples_at_chosen_modes_are_counted_there() -> None:
    centres = source("ring").centres().float()
    at = torch.cat([centres[0].repeat(6, 1), centres[3].repeat(2, 1)])
    found = computed(metric("mixture_modes"), ring(), at)
    assert (found["modes"], found["modes_real"], found["high_quality"]) == (2, 8, 1)
    shares = [6 / 8, 2 / 8]
    assert found["reverse_kl"] == pytest.approx(sum(p * math.log(8 * p) for p in shares))


def test_three_standard_deviations_part_high_quality_from_the_rest() -> None:
    centre, std = source("ring").centres()[:1].float(), source("ring").std
    at = centre + std * torch.tensor([[2.99, 0.0], [0.0, -2.99], [3.01, 0.0], [0.0, 3.01]])
    found = computed(metric("mixture_modes"), ring(), at)
    assert (found["modes"], found["high_quality"]) == (1, 0.5)
    assert computed(metric("mixture_modes", within=3.1), ring(), at)["high_quality"] == 1
    assert computed(metric("mixture_modes", least=3), ring(), at)["modes"] == 0
    assert computed(metric("mixture_modes"), ring(), at[2:])["reverse_kl"] == pytest.approx(math.log(8))


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_the_data_itself_hits_every_mode_with_the_share_of_a_normal_distribution(name: str, modes: int) -> None:
    which = source(name, num=20_000)
    found = computed(metric("mixture_modes"), of_store(which.load(), which), which.load().samples)
    share = 1 - math.exp(-4.5)  # of a 2-D Gaussian within 3 standard deviations
    assert found["modes"] == modes
    assert abs(found["high_quality"] - share) < 5 * math.sqrt(share * (1 - share) / 20_000)
    assert found["reverse_kl"] == pytest.approx(0, abs=1e-9)


def test_the_modes_of_other_data_are_not_known() -> None:
    points = of_tensor(normal(10, 2, 0))
    with pytest.raises(DataError, match=r"^metric.mixture_modes: is for data=ring, grid"):
        metric("mixture_modes").check(points, points, raw(points.first(1)))


def counted(labels: list[int], seen: list[int], classes: int = 4, **changes: object) -> dict[str, float]:
    """The mode count where the classifier says `seen` of the generated samples."""
    look = replace(raw(torch.zeros(1, 2)), classes=classes)
    real = replace(of_tensor(torch.zeros(len(labels), 2)), labels=torch.tensor(labels))
    logits = torch.nn.functional.one_hot(torch.tensor(seen), classes).float()
    sides = [Statistics(each, look, {"logits": found}) for each, found in ((real, logits[:0]), (real, logits))]
    return metric("mode_count", **changes).compute(*sides, 0)


def test_classes_are_counted_as_they_were_assigned() -> None:
    found = counted([0, 0, 1, 2], [0, 0, 0, 2])
    assert (found["modes"], found["modes_real"]) == (2, 3)
    assert counted([0, 0, 1, 2], [0, 0, 0, 2], least=2)["modes"] == 1


def test_the_divergence_of_classes_is_from_the_labels_shares_or_from_equal_ones() -> None:
    assert counted([0, 0, 1, 2, 3], [0, 0, 1, 2, 3])["kl"] == pytest.approx(0, abs=1e-12)
    uniform = counted([0, 0, 1, 2, 3], [0, 0, 1, 1], reference="uniform")["kl"]
    assert uniform == pytest.approx(math.log(2))
    assert counted([0, 1, 2, 3], [0, 0, 1, 1])["kl"] == pytest.approx(math.log(2))


def test_a_class_that_the_data_never_shows_is_far_and_not_infinite() -> None:
    found = counted([0] * 100 + [1] * 100 + [2] * 100, [3, 3])
    assert found["kl"] == pytest.approx(math.log(300.5 / 0.5))


def test_mode_count_needs_labels_and_a_classifier() -> None:
    points: Samples = of_tensor(normal(10, 2, 0))
    with pytest.raises(DataError, match=r"^metric.mode_count: needs labelled data, and this has no labels"):
        metric("mode_count").check(points, points, raw(points.first(1)))
    labelled: Tensor = torch.zeros(10, dtype=torch.int64)
    with pytest.raises(ConfigError, match="metric/features=raw does not tell; take metric/features=class"):
        metric("mode_count").check(replace(points, labels=labelled), points, raw(points.first(1)))


def test_a_network_that_was_taught_other_classes_counts_no_modes() -> None:
    points = replace(of_tensor(normal(10, 2, 0)), labels=torch.zeros(10, dtype=torch.int64), classes=("a", "b"))
    metric("mode_count").check(points, points, replace(raw(points.first(1)), classes=2))
    with pytest.raises(ConfigError, match=r"inception tells 1,008 classes, and the data has 2 others; take me"):
        metric("mode_count").check(points, points, replace(raw(points.first(1)), name="inception", classes=1008))
