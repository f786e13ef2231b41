"""What is wrong with a value, a key or the form of seeds, in one line."""

from typing import Any

import pytest

from ganctl.commands.sample import SampleCommand
from ganctl.config import train_config
from ganctl.errors import ConfigError
from ganctl.penalties import PENALTIES
from ganctl.validation import validate
from tests.changed import changed, setting
from tests.composed import composed


@pytest.fixture(scope="module")
def defaults() -> dict[str, Any]:
    return composed("penalty=[r1]")


@pytest.fixture(scope="module")
def sampling() -> dict[str, Any]:
    return composed("ckpt=run", command="sample")


def assert_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        train_config(values)
    assert str(refused.value) == told


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("train.step", 3, "train.step: unknown key (did you mean 'steps'?)"),
        ("zzz", 3, "zzz: unknown key"),
        ("optimizer.lrr", 3, "optimizer.lrr: unknown key (did you mean 'lr'?)"),
        ("model.generator.widht", 3, "model.generator.widht: unknown key (did you mean 'width'?)"),
        ("optimizer.generator.beta", 3, "optimizer.generator.beta: unknown key (did you mean 'betas'?)"),
        ("penalty.r1.wieght", 3, "penalty.r1.wieght: unknown key (did you mean 'weight'?)"),
        (
            "model.name",
            "mpl",
            "model: unknown name 'mpl' (did you mean 'mlp'?); there are "
            "biggan, conv1d, dcgan, fastgan, mlp, r3gan, resnet, stylegan2, unet",
        ),
        ("penalty.r1.name", "zz", f"penalty.r1: unknown name 'zz'; there are {', '.join(PENALTIES)}"),
        ("loss", {}, "loss: needs a name, such as one of the files in configs/loss/"),
        ("auxiliary", {"a": {}}, "auxiliary.a: needs a name, such as one of the files in configs/auxiliary/"),
        ("train.pack", 0, "train.pack: must be at least 1, not 0"),
        ("loss.label_noise", 0.5, "loss.label_noise: must be below 0.5, not 0.5"),
        ("schedule.ema.final", -1, "schedule.ema.final: must be at least 0.0, not -1"),
        (
            "schedule.penalty.shape",
            "step",
            "schedule.penalty.shape: must be 'constant', 'linear' or 'cosine', not 'step'",
        ),
        ("penalty.r1", {}, "penalty.r1: needs a name, such as one of the files in configs/penalty/"),
        ("loss", 3, "loss: must hold keys and values, not 3"),
        ("penalty", [], "penalty: must hold keys and values, not []"),
        ("ema", None, "ema: must hold keys and values, not None"),
        ("seed", -1, "seed: must be at least 0, not -1"),
        ("train.clip_norm", 0, "train.clip_norm: must be above 0.0, not 0"),
        ("sample.num", 10_001, "sample.num: must be at most 10000, not 10001"),
        ("model.generator.dropout", 1, "model.generator.dropout: must be below 1.0, not 1"),
        ("ema.ramp", float("nan"), "ema.ramp: must be a finite number, not nan"),
        ("optimizer.lr", float("inf"), "optimizer.lr: must be a finite number, not inf"),
        ("train.first", "both", "train.first: must be 'generator' or 'discriminator', not 'both'"),
        ("train.steps", "many", "train.steps: must be a whole number, not 'many'"),
        ("train.steps", 1.5, "train.steps: must be a whole number, not 1.5"),
        ("train.steps", True, "train.steps: must be a whole number, not True"),
        ("train.clip_norm", "big", "train.clip_norm: must be a number, not 'big'"),
        ("device.strict", "yes", "device.strict: must be true or false, not 'yes'"),
        ("name", 3, "name: must be text, not 3"),
        ("name", "a/b", "name: must be a folder's name of letters, digits and .,_+=- (but not latest), not 'a/b'"),
        ("device.name", "tpu", "device.name: must be auto, cpu, cuda, cuda:N or mps, not 'tpu'"),
        ("plugins", "mine", "plugins: must be a list such as [a,b], not 'mine'"),
        ("plugins", [3], "plugins.0: must be text, not 3"),
        ("optimizer.betas", 0.5, "optimizer.betas: must be a list such as [a,b], not 0.5"),
        ("optimizer.betas", [0.5], "optimizer.betas: has too few values"),
        ("optimizer.betas", [0.5] * 3, "optimizer.betas: must have at most 2 values, not [0.5, 0.5, 0.5]"),
        ("optimizer.betas", [0.5, 1], "optimizer.betas.1: must be below 1.0, not 1"),
    ],
)
def test_a_wrong_value_is_told_by_its_key_and_what_is_right(
    key: str, value: Any, told: str, defaults: dict[str, Any]
) -> None:
    assert_refused(changed(defaults, key, setting(value)), told)


@pytest.mark.parametrize("key", ["seed", "loss", "train.steps", "model.latent", "penalty.r1.weight", "ema.ramp"])
def test_a_missing_key_is_told_for_no_class_has_defaults(key: str, defaults: dict[str, Any]) -> None:
    without = changed(defaults, key, lambda inner, last: inner.pop(last))
    assert_refused(without, f"{key}: required, but not given")


def test_of_several_mistakes_the_first_is_told_and_the_others_counted(defaults: dict[str, Any]) -> None:
    values = changed(defaults, "train", lambda inner, last: inner[last].update(steps=0, n_dis=0, n_gen=0))
    assert_refused(values, "train.steps: must be at least 1, not 0 (and 2 more)")


@pytest.mark.parametrize(
    ("seeds", "numbers"),
    [
        (None, None),
        (4, [4]),
        ("4", [4]),
        ("2-5", [2, 3, 4, 5]),
        ("3,5,8", [3, 5, 8]),
        ("0-2,7", [0, 1, 2, 7]),
        ([3, 5], [3, 5]),
        (["0-2", 7], [0, 1, 2, 7]),
    ],
)
def test_seeds_are_a_number_a_range_or_a_list(
    seeds: Any, numbers: list[int] | None, sampling: dict[str, Any]
) -> None:
    assert validate(SampleCommand, sampling | {"seeds": seeds}).seeds == numbers


@pytest.mark.parametrize("seeds", ["x", "0-x", "1-2-3", "-1", [-1], "5-3", [], "", "1,,2"], ids=repr)
def test_seeds_of_another_form_are_refused_by_their_key(seeds: Any, sampling: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^seeds: must (be a number, a range|rise)"):
        validate(SampleCommand, sampling | {"seeds": seeds})
