"""What a validated config promises: its rules, and the run that follows from it."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from ganctl import rules
from ganctl.config import TrainConfig, flatten, train_config
from ganctl.data.sources import SOURCES
from ganctl.errors import ConfigError
from ganctl.registry import Spec
from tests.changed import changed, setting
from tests.composed import EARLIER_DEFAULTS, composed


@pytest.fixture(scope="module")
def defaults() -> dict[str, Any]:
    return composed("penalty=[r1]")


def config(*words: str) -> TrainConfig:
    return train_config(composed(*words))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.steps", 7),
        ("logging.every", 3),
        ("sample", {"every": 9, "num": 4}),
        ("checkpoint", {"every": 7, "keep": 9}),
        ("device", {"name": "cuda:1", "precision": "fp32", "strict": True, "threads": 1}),
        ("name", "mine"),
        ("plugins", ["my_losses"]),
        ("optimizer.weight_decay", 0),
    ],
)
def test_what_leaves_the_numbers_alone_leaves_the_run_the_same(
    key: str, value: Any, defaults: dict[str, Any]
) -> None:
    assert train_config(changed(defaults, key, setting(value))).identity() == train_config(defaults).identity()


@pytest.mark.parametrize(
    ("source", "key"), [(source, key) for source in SOURCES for key in sorted(SOURCES[source].placement)]
)
def test_where_the_data_lies_leaves_the_run_the_same(source: str, key: str) -> None:
    needed = ["data.path=here"] if "path" in SOURCES[source].model_fields else []
    values = composed(f"data={source}", "model=mlp", *needed)
    other = {"download": False, "workers": 3, "cache": None}.get(key, "elsewhere")
    moved = changed(values, f"data.{key}", setting(other))
    assert train_config(moved).data != train_config(values).data
    assert train_config(moved).name_parts()[2] == train_config(values).name_parts()[2]


@pytest.mark.parametrize("source", list(SOURCES))
def test_whatever_says_where_the_data_lies_is_no_part_of_the_runs_name(source: str) -> None:
    says_where = {"root", "path", "download", "workers", "cache"} & set(SOURCES[source].model_fields)
    assert says_where <= SOURCES[source].placement <= set(SOURCES[source].model_fields)


def test_each_key_that_moves_the_numbers_makes_another_run(defaults: dict[str, Any]) -> None:
    keys = {
        "optimizer.generator.lr": 1e-3,
        "optimizer.discriminator.betas": [0, 0.9],
        "seed": 1,
        "train.batch_size": 32,
        "train.n_dis": 2,
        "train.first": "generator",
        "train.clip_norm": 1,
        "ema.half_life": 5,
        "penalty": {},
        "penalty.r1.every": 16,
        "model.latent": 8,
        "model.generator.dropout": 0.1,
        "data.resolution": 16,
    }
    names = {train_config(changed(defaults, key, setting(value))).run_name() for key, value in keys.items()}
    groups = ["penalty=[r1]", "optimizer=sgd", "loss=hinge", "loss=wgan_gp", "model=mlp", "data=mnist"]
    names |= {config(words).run_name() for words in groups}
    assert len(names) == len(keys) + len(groups)


def test_a_run_is_named_by_its_data_model_loss_and_eight_digits_or_as_told() -> None:
    derived = config("data=ring", "model=mlp", "loss=hinge").run_name()
    assert derived.startswith("ring-mlp-hinge-")
    assert len(derived.removeprefix("ring-mlp-hinge-")) == 8
    named = config("data=ring", "model=mlp", "loss=hinge", "name=first")
    assert named.run_name() == "first"
    assert named.run_name(sweep=True) == f"first-{derived}"


def test_the_default_run_keeps_its_name_so_that_old_folders_are_found() -> None:
    assert config().run_name() == "digits-dcgan-nonsaturating-4f80ba34"
    assert config(*EARLIER_DEFAULTS).run_name() == "digits-dcgan-nonsaturating-20a0095c"
    as_before = (*EARLIER_DEFAULTS, "train.share_fakes=false")
    assert config(*as_before).run_name() == "digits-dcgan-nonsaturating-9aa1a4a4"
    assert config(*as_before, "data=folder", "data.path=x").run_name() == "x-dcgan-nonsaturating-44f486ab"


@pytest.mark.parametrize(
    "words",
    [
        ["data=ring", "model=mlp", "optimizer=sgd"],
        ["loss=wgan_gp", "penalty=[gradient_penalty,r1]", "optimizer.eps=1e-8", "name=x", "device=cuda"],
        ["data=folder", "data.path=José", "plugins=[sys]"],
    ],
    ids=str,
)
def test_a_saved_config_is_read_back_as_the_same_run(words: list[str]) -> None:
    original = config(*words)
    again = train_config(yaml.safe_load(yaml.safe_dump(original.saved())))
    assert again.saved() == original.saved()
    assert again.run_name() == original.run_name()
    assert "plugins" not in original.saved()


def test_a_config_cannot_be_changed_behind_its_runs_back() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config().seed = 3


def test_flatten_keeps_empty_mappings_and_lists_as_values() -> None:
    tree = {"a": {"b": 1, "c": {"d": [1, {"e": 2}]}}, "f": {}, "g": None}
    assert flatten(tree) == {"a.b": 1, "a.c.d": [1, {"e": 2}], "f": {}, "g": None}


@pytest.mark.parametrize(
    "words",
    [
        ["loss=wgan", "penalty=[gradient_penalty]", "model.discriminator.norm=none"],
        ["loss=wgan", "penalty=[weight_clipping]"],
        ["loss=wgan", "model.discriminator.norm=spectral"],
        ["loss=wgan", "model=mlp", "model.discriminator.norm=spectral"],
    ],
    ids=str,
)
def test_a_critic_is_accepted_with_a_lipschitz_term(words: list[str]) -> None:
    critic = config(*words)
    assert critic.loss.critic
    assert rules.check(critic) == []


@pytest.mark.parametrize("words", [["penalty=[r1]"], ["model.generator.norm=spectral"], ["model=mlp"]], ids=str)
def test_a_critic_is_refused_without_a_lipschitz_term(words: list[str]) -> None:
    with pytest.raises(ConfigError, match="loss: wgan needs a Lipschitz critic"):
        rules.check(config("loss=wgan", *words))


def test_no_class_states_a_default_because_yaml_does() -> None:
    def below(cls: type[Spec]) -> Iterator[type[Spec]]:
        for child in cls.__subclasses__():
            yield child
            yield from below(child)

    classes = list(below(Spec))
    assert len(classes) > 20
    defaulted = [
        f"{cls.__name__}.{name}"
        for cls in classes
        for name, field in cls.model_fields.items()
        if not field.is_required()
    ]
    assert defaulted == []
