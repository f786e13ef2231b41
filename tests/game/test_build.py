"""What a game cannot be built for is one line before anything is trained."""

from dataclasses import replace

import pytest
import torch

from ganctl.data.store import Store
from ganctl.errors import ConfigError
from ganctl.game import build
from ganctl.game.build import build_game, open_configured
from tests.game.games import small_config


def built(store: Store) -> None:
    config = small_config("model.conditional=true")
    build_game(config, store, open_configured(config.device, config.data.kind))


def digits() -> Store:
    return small_config().data.load()


def test_data_without_labels_is_refused_with_the_reason() -> None:
    store = replace(digits(), labels=None, classes=(), without_labels="each image has many")
    expected = r"^model.conditional: the data has no classes \(each image has many\); set it to false$"
    with pytest.raises(ConfigError, match=expected):
        built(store)


def test_names_that_a_checkpoint_has_no_room_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build, "MOST_LETTERS", 9)
    with pytest.raises(ConfigError, match=r"^model.conditional: the names of 10 classes have 10 letters"):
        built(digits())


def test_a_single_class_and_classes_without_samples_can_be_had() -> None:
    store = digits()
    labels = torch.zeros(len(store), dtype=torch.int64)
    built(replace(store, labels=labels, classes=("all",)))
    built(replace(store, labels=labels + 1, classes=("none", "all", "neither")))
