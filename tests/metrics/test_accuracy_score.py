"""The classification accuracy score: a classifier that has seen generated images alone judges real ones."""

from dataclasses import replace

import pytest
import torch

from ganctl.errors import ConfigError, DataError
from ganctl.metrics import Samples, of_tensor
from tests.metrics.measured import measured, metric, raw

CLASSES = torch.arange(64) % 2
"""Of images: those of class 1 are brighter."""


def images(labels: torch.Tensor, asked: torch.Tensor | None = None) -> Samples:
    """Noisy grey images that show what `labels` say, of which `asked` was asked for."""
    noise = torch.randint(0, 40, (len(labels), 8, 8, 1), generator=torch.Generator().manual_seed(0))
    noise += 160 * labels[:, None, None, None]
    return replace(of_tensor(noise.byte()), labels=labels if asked is None else asked, classes=("dark", "light"))


def score(generated: Samples, real: Samples | None = None, **keys: object) -> float:
    asked = metric("cas", **({"steps": 80, "width": 4, "batch_size": 16, "side": 8} | keys))
    real = real or images(CLASSES)
    return measured({"it": asked}, raw(torch.zeros(1, 8, 8, 1).byte()), real, generated)["it"]["cas"]


def test_fakes_that_show_their_class_teach_it_and_fakes_of_the_wrong_class_teach_that() -> None:
    assert score(images(CLASSES)) == 1
    assert score(images(CLASSES, 1 - CLASSES)) == 0


def test_fakes_of_any_class_teach_nothing() -> None:
    anything = torch.randint(0, 2, (64,), generator=torch.Generator().manual_seed(1))
    assert 0.05 < score(images(anything, CLASSES), steps=5) < 0.95


def test_the_same_seed_gives_the_same_number() -> None:
    few = images(CLASSES[:6])
    assert score(few, steps=2) == score(few, steps=2)


def test_what_cannot_teach_is_refused_before_a_sample_is_read() -> None:
    none = replace(images(CLASSES), labels=None)
    with pytest.raises(ConfigError, match=r"^metric\.cas: teaches the class that was asked for, and these"):
        score(none)
    with pytest.raises(DataError, match=r"^metric\.cas: needs data of two classes or more, and this has none"):
        score(images(CLASSES), none)
    with pytest.raises(ConfigError, match=r"^metric\.cas: teaches classes all together, and these samples are of"):
        score(images(torch.ones(4).long()))
    points = replace(of_tensor(torch.zeros(4, 2)), labels=CLASSES[:4], classes=("a", "b"))
    with pytest.raises(ConfigError, match=r"^metric\.cas: teaches a classifier of images"):
        measured({"it": metric("cas")}, raw(torch.zeros(1, 2)), points, points)
