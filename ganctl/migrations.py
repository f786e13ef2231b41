"""How configs of earlier versions are read: what a key that did not exist then means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Added:
    """A dotted key that a later version added, with the value that leaves a run as it was before.

    `names` are the options of its group that have the key; empty for all.
    """

    key: str
    value: Any
    names: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """The first part of the key."""
        return self.key.partition(".")[0]


def _constant(key: str, final: float) -> list[Added]:
    values = {"shape": "constant", "warmup": 0, "final": final, "until": None}
    return [Added(f"schedule.{key}.{name}", value) for name, value in values.items()]


ADDED = (
    Added("auxiliary", {}),
    Added("augment", {}),
    Added("evaluate", {"every": 0, "num": 10_000, "best": None}),
    Added("metric", {}),
    Added("features", None),
    Added("features.colour", None, ("classifier",)),
    Added("sample.show", False),
    Added("checkpoint.keep_every", 0),
    Added("device.graphs", False),
    Added("device.compile", False),
    Added("device.sync_batch_norm", True),
    Added("device.timeout", 1800.0),
    Added("train.share_fakes", False),
    Added("train.on_divergence", "stop"),
    Added("train.max_rollbacks", 3),
    Added("train.patience", None),
    Added("train.max_time", None),
    *_constant("learning_rate", 0.0),
    *_constant("penalty", 1.0),
    *_constant("ema", 1.0),
    Added("train.pack", 1),
    Added("train.topk", 1.0),
    Added("loss.label_smoothing", 0.0, ("nonsaturating",)),
    Added("loss.label_noise", 0.0, ("nonsaturating",)),
    Added("data.cache", None, ("folder",)),
    Added("data.range", None, ("folder",)),
    Added("data.frames", "first", ("folder",)),
    Added("model.prior", "normal"),
    Added("model.categorical_codes", []),
    Added("model.continuous_codes", 0),
    Added("model.conditional", False),
    Added("model.embedding", 64, ("mlp", "dcgan")),
    Added("model.discriminator.condition", "projection"),
    Added("data.balance", False, ("digits", "mnist", "fashion_mnist", "cifar10", "folder", "array")),
    Added("model.generator.maxout", 1, ("mlp",)),
    Added("model.discriminator.maxout", 1, ("mlp",)),
    Added("model.generator.base_layers", 0, ("dcgan",)),
    Added("model.discriminator.frozen", 0),
    Added("init_from", None),
    Added("init_which", "newest"),
    Added("init_digest", None),
    Added("logs", {name: {"name": name} for name in ("jsonl", "tensorboard")}),
)
"""Every added key; only the groups `schedule` and `model.discriminator` may be missing altogether."""

MOVED = {"loss.pack": "train.pack"}
"""Keys of groups by their earlier names. A run's hash is of these, so that old runs keep theirs."""


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with moved keys in their new places and added keys filled in; the rest is left as it is."""
    whole = {group: dict(keys) if isinstance(keys, Mapping) else keys for group, keys in config.items()}
    for earlier, moved in MOVED.items():
        (group, key), (other, name) = earlier.split("."), moved.split(".")
        old, new = whole.get(group), whole.get(other)
        if isinstance(old, dict) and isinstance(new, dict) and key in old and name not in new:
            new[name] = old.pop(key)
    for added in ADDED:
        option = whole.get(added.group)
        if not added.names or (isinstance(option, dict) and option.get("name") in added.names):
            _fill(whole, *added.key.split("."), value=added.value, missing=added.group in ("schedule", "model"))
    return whole


def _fill(tree: dict[str, Any], first: str, *rest: str, value: Any, missing: bool) -> None:
    """Set a key that a tree lacks, and make the `missing` groups above it."""
    if not rest:
        tree.setdefault(first, value)
    elif isinstance(inner := tree.get(first, {} if missing else None), Mapping):
        tree[first] = dict(inner)
        _fill(tree[first], *rest, value=value, missing=missing)


def as_first_named(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with dotted keys under the names that these had first."""
    first = {moved: earlier for earlier, moved in MOVED.items()}
    return {first.get(key, key): value for key, value in values.items()}


def without_effect(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the added keys with the values that leave a run as it was before.

    `values` are a config's, by dotted keys: an option that had a key from the start keeps it.
    """
    return {
        added.key: added.value
        for added in ADDED
        if not added.names or values.get(f"{added.group}.name") in added.names
    }
