"""A run's config as the words of `ganctl train` that compose to it, so that another may differ by a few."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganctl.checkpoints.untrusted import QuickLoader, read_yaml
from ganctl.command_line.compose import jobs
from ganctl.command_line.explain import config_folder, tree_of
from ganctl.command_line.wording import typed
from ganctl.errors import CheckpointError, ConfigError
from ganctl.folders.find import find_run
from ganctl.folders.untyped import flat
from ganctl.migrations import completed

ONE_OF = {
    "data": "data",
    "model": "model",
    "loss": "loss",
    "optimizer": "optimizer",
    "metric/features": "features",
}
"""The groups of which a run has one option, and their keys in its config."""

SEVERAL_OF = ("penalty", "auxiliary", "augment", "metric", "logs")
OF_ITS_OWN = ("name", "init_digest", "plugins")
"""Keys that another run does not take over."""

PAIRED = ("penalty", "train.n_dis")
"""What a pair of loss and penalty, such as loss=wgan_gp, sets beside the loss."""


def expanded(words: Sequence[str]) -> list[str]:
    """Return words with `from=<run>` replaced by those of the run's config that the others leave as they are.

    Raises `ConfigError` for more than one run or a whole recipe beside it, `CheckpointError` if there is no such
    run, or its config cannot be read.
    """
    named = [word.removeprefix("from=") for word in words if word.startswith("from=")]
    if not named:
        return list(words)
    others = [word for word in words if not word.startswith("from=")]
    if len(named) > 1 or not named[0]:
        raise ConfigError(f"from={named[-1]}: takes one run, from=outputs/<run>")
    if any(word.startswith("experiment=") for word in others):
        raise ConfigError("from: experiment=… is a whole recipe, too; give one of the two")
    path = find_run(named[0])
    if not path.is_dir():
        raise CheckpointError(f"from={named[0]}: takes the folder of a run, not a file")
    return [*_left(words_of(path), others), *others]


def words_of(run: Path) -> list[str]:
    """Return the words that compose to the config of a run's folder, but for the name: choices, then keys.

    Raises `CheckpointError` if the folder holds no config that can be read, `ConfigError` for one that names an
    option which is not there.
    """
    saved = completed(read_yaml(run / "config.yaml", QuickLoader))
    choices = [f"{group}={_name(saved, key)}" for group, key in ONE_OF.items() if _name(saved, key)]
    choices += [f"{key}=[{','.join(_names(saved, key))}]" for key in SEVERAL_OF]
    given = {key: value for key, value in flat(saved) if key not in OF_ITS_OWN}
    words = choices + [f"{key}={typed(given[key])}" for key in _required(saved) if key in given]
    for depth in sorted({key.count(".") for key in given}):  # keys refer to those above: optimizer.generator.lr
        here = _composed(words)
        words = words + [
            f"{key}={typed(value)}"
            for key, value in given.items()
            if key.count(".") == depth and (key not in here or here[key] != value)
        ]
    return words


def _required(saved: Mapping[str, Any]) -> list[str]:
    """Return the keys for which the options of a config have no values, such as data.path of data=folder."""
    found = []
    for group, key in ONE_OF.items():
        path = config_folder() / group / f"{_name(saved, key)}.yaml"
        if path.is_file():
            found += [f"{key}.{inner}" for inner, value in flat(tree_of(path)) if value == "???"]
    return found


def _composed(words: Sequence[str]) -> dict[str, Any]:
    (job,) = jobs("train", words)
    return dict(flat(job.values()))


def _left(own: Sequence[str], others: Sequence[str]) -> list[str]:
    """Return a run's words but for those of groups of which another option is chosen."""
    chosen: set[str] = set()
    for word in others:
        group, _, option = word.lstrip("+").partition("=")
        if group in ONE_OF or group in SEVERAL_OF:
            chosen.add(group)
            path = config_folder() / group / f"{option}.yaml"
            if path.is_file() and "# @package _global_" in path.read_text("utf-8"):
                chosen.update(PAIRED)
    keys = chosen | {ONE_OF[group] for group in chosen & ONE_OF.keys()}

    def taken(word: str) -> bool:
        key = word.partition("=")[0]
        return key in keys or key.partition(".")[0] in keys

    return [word for word in own if not taken(word)]


def _name(saved: Mapping[str, Any], key: str) -> str | None:
    group = saved.get(key)
    name = group.get("name") if isinstance(group, dict) else None
    return name if isinstance(name, str) and re.fullmatch(r"(?a:\w+)", name) else None


def _names(saved: Mapping[str, Any], key: str) -> list[str]:
    group = saved.get(key)
    return [name for name in group if re.fullmatch(r"(?a:\w+)", str(name))] if isinstance(group, dict) else []
