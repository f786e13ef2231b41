"""What a validated config promises: its rules, its words for mistakes, and the run that follows from it."""

import copy
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganctl import rules
from ganctl.checkpoints import file as checkpoint
from ganctl.config import TrainConfig, flatten, sample_command, train_config
from ganctl.data.sources import SOURCES
from ganctl.errors import ConfigError
from ganctl.folders.run_folder import RunFolder
from ganctl.losses import LOSSES
from ganctl.penalties import PENALTIES
from ganctl.plugins import import_plugins
from ganctl.registry import Spec
from tests.composed import composed
from tests.conftest import TINY, Cli

PLUGIN = """
from pathlib import Path
from typing import Literal
from ganctl.losses import LOSSES, Loss, Hinge

Path("imported").touch()

@LOSSES.register
class Mine(Hinge):
    name: Literal["mine"]
"""


@pytest.fixture(scope="module")
def defaults() -> dict[str, Any]:
    return composed("penalty=[r1]")


@pytest.fixture(scope="module")
def sampling() -> dict[str, Any]:
    return composed("ckpt=run", command="sample")


@pytest.fixture
def plugin(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of the user's own that registers a loss, and says when it is imported."""
    (workspace / "my_losses.py").write_text(PLUGIN)
    (workspace / "configs/loss").mkdir(parents=True)
    (workspace / "configs/loss/mine.yaml").write_text("name: mine\n")
    monkeypatch.syspath_prepend(workspace)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield "my_losses"
    LOSSES._classes.pop("mine", None)
    sys.modules.pop("my_losses", None)


def config(*words: str) -> TrainConfig:
    return train_config(composed(*words))


def changed(values: dict[str, Any], key: str, change: Callable[[dict[str, Any], str], object]) -> dict[str, Any]:
    """Return a copy in which the innermost mapping of a dotted key has been changed."""
    values = copy.deepcopy(values)
    inner = values
    *groups, last = key.split(".")
    for group in groups:
        inner = inner[group]
    change(inner, last)
    return values


def assert_refused(values: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        train_config(values)
    assert str(refused.value) == told


def setting(value: Any) -> Callable[[dict[str, Any], str], object]:
    return lambda inner, last: inner.update({last: value})


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
    assert train_config(moved).name_ending() == train_config(values).name_ending()


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
    assert config().run_name() == "digits-dcgan-nonsaturating-20a0095c"
    as_before = "train.share_fakes=false"
    assert config(as_before).run_name() == "digits-dcgan-nonsaturating-9aa1a4a4"
    assert config(as_before, "data=folder", "data.path=x").run_name() == "x-dcgan-nonsaturating-44f486ab"


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
    ("key", "value", "told"),
    [
        ("train.step", 3, "train.step: unknown key (did you mean 'steps'?)"),
        ("zzz", 3, "zzz: unknown key"),
        ("optimizer.lrr", 3, "optimizer.lrr: unknown key (did you mean 'lr'?)"),
        ("model.generator.widht", 3, "model.generator.widht: unknown key (did you mean 'width'?)"),
        ("optimizer.generator.beta", 3, "optimizer.generator.beta: unknown key (did you mean 'betas'?)"),
        ("penalty.r1.wieght", 3, "penalty.r1.wieght: unknown key (did you mean 'weight'?)"),
        ("model.name", "mpl", "model: unknown name 'mpl' (did you mean 'mlp'?); there are dcgan, mlp"),
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
    assert sample_command(sampling | {"seeds": seeds}).seeds == numbers


@pytest.mark.parametrize("seeds", ["x", "0-x", "1-2-3", "-1", [-1], "5-3", [], "", "1,,2"], ids=repr)
def test_seeds_of_another_form_are_refused_by_their_key(seeds: Any, sampling: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^seeds: must (be a number, a range|rise)"):
        sample_command(sampling | {"seeds": seeds})


def test_a_plugin_named_on_the_command_line_adds_a_loss(plugin: str, workspace: Path, cli: Cli) -> None:
    words = [*TINY, "--config-dir", "configs", "loss=mine", "name=run"]
    outcome = cli("train", *words)
    assert (outcome.code, (workspace / "imported").exists()) == (2, False)
    assert "loss: unknown name 'mine'" in outcome.err
    outcome = cli("train", *words, f"plugins=[{plugin}]")
    assert (outcome.code, outcome.err) == (0, "")
    assert "plugins" not in RunFolder(workspace / "outputs/run").saved_config()


def test_a_run_with_a_plugin_is_sampled_with_that_plugin(plugin: str, workspace: Path, cli: Cli) -> None:
    words = [*TINY, "--config-dir", "configs", "loss=mine", "name=run"]
    assert cli("train", *words, f"plugins=[{plugin}]").code == 0
    LOSSES._classes.pop("mine")
    sys.modules.pop(plugin)
    outcome = cli("sample", "ckpt=outputs/run", "num=2")
    assert outcome.code == 4
    assert "loss.name 'mine' is none of ganctl's own; it comes from a plugin" in outcome.err
    assert cli("sample", "ckpt=outputs/run", "num=2", f"plugins=[{plugin}]").code == 0


def test_resume_imports_a_plugin_only_when_the_command_line_names_it(
    plugin: str, workspace: Path, cli: Cli
) -> None:
    words = [*TINY, "--config-dir", "configs", "loss=mine", "name=run"]
    assert cli("train", *words, f"plugins=[{plugin}]").code == 0
    LOSSES._classes.pop("mine")
    sys.modules.pop(plugin)
    (workspace / "imported").unlink()
    outcome = cli("resume", "outputs/run", "train.steps=2")
    assert (outcome.code, (workspace / "imported").exists()) == (4, False)
    assert "loss.name 'mine' is none of ganctl's own; it comes from a plugin" in outcome.err
    outcome = cli("resume", "outputs/run", "train.steps=2", f"plugins=[{plugin}]")
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("source", ["class", "1 / 0", "import no_such_module"])
def test_a_plugin_that_fails_is_one_line_that_names_it(
    source: str, plugin: str, workspace: Path, cli: Cli
) -> None:
    (workspace / f"{plugin}.py").write_text(source)
    outcome = cli("train", *TINY, f"plugins=[{plugin}]")
    assert outcome.code == 2
    assert re.fullmatch(rf"ganctl: plugins: {plugin} cannot be imported \(\w+: .+\)\n", outcome.err)
    assert not (workspace / "outputs").exists()


@pytest.mark.parametrize("names", ["math", None, [1], ["math", None], {"math": 1}], ids=repr)
def test_plugins_are_a_list_of_modules(names: Any) -> None:
    with pytest.raises(ConfigError, match=r"^plugins: must be a list of modules"):
        import_plugins(names)


@pytest.mark.parametrize("name", [".relative", "", "no.such.module"])
def test_a_plugin_that_is_no_module_is_told(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^plugins: {re.escape(name)} cannot be imported"):
        import_plugins(["math", name])


def test_no_config_in_a_run_folder_imports_anything(plugin: str, trained: Path, cli: Cli) -> None:
    saved = trained / "outputs/run/config.yaml"
    saved.write_text(saved.read_text() + f"plugins: [{plugin}]\n")
    for words in (("train", *TINY, "name=run"), ("resume", "outputs/run", "train.steps=2")):
        outcome = cli(*words)
        assert outcome.code == 4
        assert "outputs/run/config.yaml: plugins: no file may name modules to import" in outcome.err
    assert not (trained / "imported").exists()


def test_no_config_in_a_checkpoint_imports_anything(plugin: str, trained: Path, cli: Cli) -> None:
    good = next(RunFolder(trained / "outputs/run").checkpoints.intact())
    header = copy.deepcopy(good.header)
    header.config["plugins"] = [plugin]
    checkpoint.write(trained / "strange.safetensors", header, good.read())
    outcome = cli("sample", "ckpt=strange.safetensors", "num=2", "device=cpu")
    assert outcome.code == 4
    assert "plugins: no file may name modules to import" in outcome.err
    assert not (trained / "imported").exists()
    assert plugin not in sys.modules


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
