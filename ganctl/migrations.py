"""How configs of earlier versions are read: what a key that did not exist then means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Added:
    """A dotted key that a later version added, and the value that leaves a run as it was before.

    `names` are the options of its group that have the key; empty for all.
    """

    key: str
    value: Any
    names: frozenset[str] = frozenset()


def _constant(key: str, final: float) -> list[Added]:
    values = {"shape": "constant", "warmup": 0, "final": final, "until": None}
    return [Added(f"schedule.{key}.{name}", value) for name, value in values.items()]


ADDED = (
    Added("auxiliary", {}),
    Added("evaluate", {"every": 0, "num": 10_000, "best": None}),
    Added("metric", {}),
    Added("features", None),
    Added("checkpoint.keep_every", 0),
    Added("device.graphs", False),
    Added("device.compile", False),
    Added("train.share_fakes", False),
    Added("train.on_divergence", "stop"),
    Added("train.max_rollbacks", 3),
    *_constant("learning_rate", 0.0),
    *_constant("penalty", 1.0),
    *_constant("ema", 1.0),
    Added("train.pack", 1),
    Added("loss.label_smoothing", 0.0, frozenset({"nonsaturating"})),
    Added("loss.label_noise", 0.0, frozenset({"nonsaturating"})),
    Added("data.cache", None, frozenset({"folder"})),
    Added("data.range", None, frozenset({"folder"})),
    Added("data.frames", "first", frozenset({"folder"})),
    Added("model.generator.maxout", 1, frozenset({"mlp"})),
    Added("model.discriminator.maxout", 1, frozenset({"mlp"})),
    Added("model.generator.base_layers", 0, frozenset({"dcgan"})),
)
"""Every added key; a group that is missing wholly is made of its keys."""


MOVED = {"loss.pack": "train.pack"}
"""Keys by their earlier names; runs are told apart by these, so that old ones keep their hash."""


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with moved keys in their new places, and every added key that it lacks.

    What it holds, right or wrong, is left as it is.
    """
    whole = dict(config)
    for earlier, key in MOVED.items():
        _move(whole, earlier.split("."), key.split("."))
    for added in ADDED:
        group, _, _ = added.key.partition(".")
        option = whole.get(group)
        name = option.get("name") if isinstance(option, Mapping) else None
        if not added.names or (isinstance(name, str) and name in added.names):
            _fill(whole, added.key.split("."), added.value, missing_groups=group == "schedule")
    return whole


def _move(tree: dict[str, Any], source: list[str], target: list[str]) -> None:
    """Move a key of one group to another that lacks it."""
    (group, key), (other, name) = source, target
    old, new = tree.get(group), tree.get(other)
    if isinstance(old, Mapping) and isinstance(new, Mapping) and key in old and name not in new:
        tree[group] = {each: value for each, value in old.items() if each != key}
        tree[other] = {**new, name: old[key]}


def as_first_named(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with dotted keys under the names that these had first."""
    first = {key: earlier for earlier, key in MOVED.items()}
    return {first.get(key, key): value for key, value in values.items()}


def _fill(tree: dict[str, Any], path: list[str], value: Any, *, missing_groups: bool) -> None:
    first, *rest = path
    if not rest:
        tree.setdefault(first, value)
        return
    inner = tree.get(first, {} if missing_groups else None)
    if isinstance(inner, Mapping):
        tree[first] = dict(inner)
        _fill(tree[first], rest, value, missing_groups=missing_groups)


def without_effect(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the added keys, dotted, with the values that leave a run as it was before.

    `names` are the options chosen, by keys such as data.name: an option that had a key from the start keeps it.
    """
    return {
        added.key: added.value
        for added in ADDED
        if not added.names or names.get(f"{added.key.partition('.')[0]}.name") in added.names
    }
