"""How configs of earlier versions are read: what a key that did not exist then means."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONSTANT = {"shape": "constant", "warmup": 0, "until": None}


@dataclass(frozen=True)
class Added:
    """A key that a later version added, and the value that leaves a run as it was before.

    `names` are the options of its group that have it; empty for all.
    """

    group: str
    key: str
    value: Any
    names: frozenset[str] = frozenset()

    def belongs_to(self, group: Any) -> bool:
        """Return whether a group of settings should have the key."""
        return isinstance(group, Mapping) and (not self.names or group.get("name") in self.names)


ADDED = (
    Added("", "auxiliary", {}),
    Added("", "schedule", {}),
    Added("schedule", "learning_rate", CONSTANT | {"final": 0.0}),
    Added("schedule", "penalty", CONSTANT | {"final": 1.0}),
    Added("schedule", "ema", CONSTANT | {"final": 1.0}),
    Added("loss", "pack", 1),
    Added("loss", "label_smoothing", 0.0, frozenset({"nonsaturating"})),
    Added("loss", "label_noise", 0.0, frozenset({"nonsaturating"})),
)
"""In the order in which they are filled in."""


def completed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with every added key that it lacks; what it holds is left as it is."""
    whole = dict(config)
    for added in ADDED:
        group: Any = whole.get(added.group) if added.group else whole
        if not added.belongs_to(group) or added.key in group:
            continue
        if added.group:
            whole[added.group] = {**group, added.key: added.value}
        else:
            whole[added.key] = added.value
    return whole


def without_effect() -> dict[str, Any]:
    """Return the added keys, dotted, with the values that leave a run as it was before."""
    flat: dict[str, Any] = {}
    for added in ADDED:
        path = f"{added.group}.{added.key}".lstrip(".")
        if isinstance(added.value, Mapping) and added.value:
            flat |= {f"{path}.{key}": value for key, value in added.value.items()}
        else:
            flat[path] = added.value
    return flat
