"""The YAML that a user reads and edits: explained line by line, and in step with the classes of the same names."""

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from ganctl.augment import AUGMENTS
from ganctl.auxiliary import AUXILIARIES
from ganctl.cli import COMMANDS
from ganctl.command_line.explain import config_folder
from ganctl.config import DeviceConfig
from ganctl.data.sources import SOURCES
from ganctl.loggers import LOGGERS
from ganctl.losses import LOSSES
from ganctl.metrics import EXTRACTORS, METRICS
from ganctl.models import MODELS
from ganctl.optim import OPTIMIZERS
from ganctl.penalties import PENALTIES
from ganctl.registry import Component, Family, Spec
from tests.conftest import Cli

FOLDER = config_folder()
FILES = {str(path.relative_to(FOLDER)): path for path in sorted(FOLDER.rglob("*.yaml"))}
FAMILIES: dict[str, Family[Component]] = {
    family.key: family
    for family in (
        SOURCES,
        MODELS,
        LOSSES,
        PENALTIES,
        AUXILIARIES,
        AUGMENTS,
        OPTIMIZERS,
        METRICS,
        EXTRACTORS,
        LOGGERS,
    )
}
FOLDERS = {"features": "metric/features"}
"""Where a family's files lie if not in the folder of its key."""

SEVERAL = ("penalty", "auxiliary", "augment", "metric", "logs")
"""Groups of which several options may be chosen."""

WHOLE = [
    name
    for name, path in FILES.items()
    if path.parent.name in FAMILIES and "@package _global_" not in path.read_text()
]
"""Files that hold every key of their class themselves: all options but a loss that is a pair."""


def option_keys(tree: dict[str, object]) -> set[str]:
    """Return the dotted keys of a tree, those of its branches too."""
    keys: set[str] = set()
    for key, value in tree.items():
        keys.add(key)
        if isinstance(value, dict):
            keys |= {f"{key}.{inner}" for inner in option_keys(value)}
    return keys


def class_keys(cls: type[Spec]) -> set[str]:
    """Return the dotted keys of a class, those of the classes in it too."""
    keys: set[str] = set()
    for key, field in cls.model_fields.items():
        keys.add(key)
        for kind in get_args(field.annotation) or (field.annotation,):
            if isinstance(kind, type) and issubclass(kind, Spec):
                keys |= {f"{key}.{inner}" for inner in class_keys(kind)}
    return keys


def values_without_comment(text: str) -> list[str]:
    """Return the lines that give a value and do not say what it means.

    A name is explained by the head of its file, a reference (`${…}`) where the value it takes is stated.
    """
    giving = re.findall(r"^ *(?:- )?[\w/@ ]+: *[^\s#].*$", text, re.MULTILINE)
    explained = re.compile(r" # \S|^ *name: \w+$|\$\{|^ *- override |^ *defaults:")
    return [line for line in giving if not explained.search(line)]


def test_a_value_without_comment_is_found() -> None:
    text = "# h\nname: x\na: 1\nb:\n  c: [1, 2]  # two numbers\n  d: ${a}\n  e: true\n"
    assert values_without_comment(text) == ["a: 1", "  e: true"]


@pytest.mark.parametrize("name", FILES)
def test_every_file_starts_with_what_it_is_and_explains_every_value(name: str) -> None:
    text = FILES[name].read_text()
    head = re.sub(r"^# @package \w+\n", "", text)
    assert re.match(r"# \S.{5,}", head)
    assert values_without_comment(text) == []


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("experiment/")])
def test_an_experiment_starts_with_its_command_hardware_time_and_what_to_expect(name: str) -> None:
    head = FILES[name].read_text().partition("defaults:")[0]
    assert f"#   ganctl train experiment={Path(name).stem}" in head
    for word in ("Hardware", "Time", "Expect"):
        (told,) = re.findall(rf"^# {word}: (.*)$", head, re.MULTILINE)
        assert len(told) > 10, word


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_tidy(name: str) -> None:
    text = FILES[name].read_text()
    assert text.endswith("\n")
    assert "\t" not in text
    assert not re.search(r" $", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 115


@pytest.mark.parametrize("group", FAMILIES)
def test_every_class_has_a_file_of_its_name_and_every_file_a_class(group: str) -> None:
    folder = FOLDER / FOLDERS.get(group, group)
    files = {path.stem for path in folder.glob("*.yaml")}
    pairs = {name for name in files if "@package _global_" in (folder / f"{name}.yaml").read_text()}
    assert files - pairs == set(FAMILIES[group])


@pytest.mark.parametrize("name", WHOLE)
def test_a_file_holds_exactly_the_keys_of_its_class(name: str) -> None:
    group, stem = Path(name).parent.name, Path(name).stem
    tree = yaml.safe_load(FILES[name].read_text())
    tree = tree[stem] if group in SEVERAL else tree
    assert tree["name"] == stem
    assert option_keys(tree) == class_keys(FAMILIES[group][stem])


def test_devices_differ_from_auto_by_their_name_alone() -> None:
    auto = yaml.safe_load(FILES["device/auto.yaml"].read_text())
    assert set(auto) == set(DeviceConfig.model_fields)
    for path in (FOLDER / "device").glob("*.yaml"):
        own = yaml.safe_load(path.read_text())
        own.pop("defaults", None)
        assert own["name"] == path.stem
        assert own == {"name": path.stem} or path.stem == "auto"


@pytest.mark.parametrize("group", SEVERAL)
def test_each_of_several_lies_under_its_own_key_so_that_they_fit_together(group: str) -> None:
    for path in (FOLDER / group).glob("*.yaml"):
        assert list(yaml.safe_load(path.read_text())) == [path.stem]


def test_no_file_names_code_to_run() -> None:
    for path in FILES.values():
        assert "_target_" not in path.read_text(), path


@pytest.mark.parametrize("option", list(OPTIMIZERS))
def test_an_optimizer_states_each_value_once(option: str) -> None:
    tree = yaml.safe_load(FILES[f"optimizer/{option}.yaml"].read_text())
    shared = set(tree) - {"name", "generator", "discriminator"}
    for player in ("generator", "discriminator"):
        assert tree[player] == {key: f"${{..{key}}}" for key in shared}


def test_every_group_is_in_the_defaults_of_a_command() -> None:
    groups = {path.parent.relative_to(FOLDER).as_posix() for path in FILES.values() if path.parent != FOLDER}
    listed: set[str] = set()
    for path in FOLDER.glob("*.yaml"):
        for choice in yaml.safe_load(path.read_text())["defaults"]:
            listed |= set(choice) if isinstance(choice, dict) else set()
    assert groups <= listed


def test_penalty_stands_before_loss_so_that_a_pair_can_choose_its_penalty() -> None:
    defaults = yaml.safe_load(FILES["train.yaml"].read_text())["defaults"]
    groups = [next(iter(choice)) for choice in defaults if isinstance(choice, dict)]
    assert groups.index("penalty") < groups.index("loss")


WITH_KEYS = [name for name, each in COMMANDS.items() if not each.of_saved_config and not each.tracking]


@pytest.mark.parametrize("command", WITH_KEYS)
def test_a_command_chooses_from_its_own_groups_and_sets_nothing_of_hydras(command: str, cli: Cli) -> None:
    shown = cli(command, "--help").out
    tree = yaml.safe_load(FILES[f"{command}.yaml"].read_text())
    groups = [
        name for choice in tree["defaults"] if isinstance(choice, dict) for name in choice if "@" not in name
    ]
    for group in groups:
        options = ", ".join(sorted(path.stem for path in (FOLDER / group).glob("*.yaml")))
        assert f"\n{group}: {options}\n" in shown
    assert ("Choices" in shown) == bool(groups)
    assert "hydra" not in tree
