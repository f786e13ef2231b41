"""The agreement of a classifier with the classes that were asked for, and real samples of one class."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ganctl.data.store import Store
from ganctl.errors import ConfigError, DataError
from ganctl.metrics import Samples, of_store, of_tensor
from ganctl.metrics.extractor import Extracted, Extractor
from tests.metrics.measured import measured, metric, raw

NAMES = ("a", "b", "c", "d")


def seeing(classes: int = 4) -> Extractor:
    """An extractor that reads the class of a point from its first coordinate."""

    def extract(points: Tensor) -> Extracted:
        return Extracted(points, torch.nn.functional.one_hot(points[:, 0].long(), classes).float())

    return replace(raw(torch.zeros(1, 2)), extract=extract, classes=classes)


def points(classes: list[int], labels: list[int] | None) -> Samples:
    rows = torch.tensor(classes).float()[:, None].repeat(1, 2)
    asked = None if labels is None else torch.tensor(labels)
    return replace(of_tensor(rows), labels=asked, classes=NAMES)


def agreement(generated: Samples, real: Samples | None = None, look: Extractor | None = None) -> float:
    real = real or points([0, 1, 2, 3], [0, 1, 2, 3])
    found = measured({"it": metric("class_agreement")}, look or seeing(), real, generated)
    return found["it"]["class_agreement"]


def test_the_share_of_samples_in_the_class_that_was_asked_for() -> None:
    assert agreement(points([0, 1, 2, 3], [0, 1, 2, 3])) == 1
    assert agreement(points([0, 1, 2, 3], [0, 1, 2, 2])) == 0.75
    assert agreement(points([1, 2, 3, 0], [0, 1, 2, 3])) == 0


def test_a_part_of_generated_samples_keeps_its_labels() -> None:
    whole = points([0, 1, 2, 3], [0, 0, 2, 2])
    assert agreement(whole.part(0, 2)) == agreement(whole.part(1, 3)) == 0.5
    assert agreement(whole.part(2, 3)) == 1


def test_samples_that_nobody_asked_a_class_of_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^metric\.class_agreement: compares with the class that was asked for"):
        agreement(points([0], None))
    with pytest.raises(DataError, match=r"^metric\.class_agreement: needs labelled data"):
        agreement(points([0], [0]), real=points([0], None))
    with pytest.raises(ConfigError, match=r"^metric\.class_agreement: raw tells 5 classes, and the data has 4 "):
        agreement(points([0], [0]), look=seeing(5))
    with pytest.raises(ConfigError, match=r"^metric\.class_agreement: reads classes, which metric/features=raw"):
        agreement(points([0], [0]), look=replace(seeing(), classes=0))


def test_real_samples_of_a_class_are_all_of_it_and_no_others() -> None:
    labels = torch.tensor([0, 1, 1, 3, 0, 1])
    store = Store(torch.arange(12.0).reshape(6, 2), labels, NAMES)
    ones = of_store(store, None, label=1)
    assert ones.labels is not None
    assert ones.labels.tolist() == [1, 1, 1]
    assert sorted(ones.read(0, 3)[:, 0].tolist()) == [2, 4, 10]
    assert of_store(store, None, label=2).count == 0
    assert len({of_store(store, None, label=label).content for label in range(4)}) == 4
    assert of_store(store, None, count=2, label=1).count == 2
