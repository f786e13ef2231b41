"""The config that a file holds, validated: whatever is wrong with it is the file's fault."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ganctl.config import TrainConfig, train_config
from ganctl.errors import CheckpointError, ConfigError, PluginError, UnknownNameError


def saved_train_config(values: Mapping[str, Any], place: Path, plugins: Iterable[str] = ()) -> TrainConfig:
    """Validate a config that was read from a file; whatever is wrong with it is the file's fault.

    `plugins` are those that it is known to have been trained with, to be named if something is missing. Raises
    `CheckpointError` that names the file and the first wrong key, `PluginError` for a name that no table has.
    """
    try:
        return train_config(values)
    except UnknownNameError as error:
        known = ",".join(plugins)
        source = "it comes from a plugin:" if known else "if it comes from a plugin of yours,"
        told = f"{error.key}.name '{error.name}' is none of ganctl's own; {source} add plugins=[{known or '…'}]"
        raise PluginError(f"{place}: {told}") from error
    except ConfigError as error:
        raise CheckpointError(f"{place}: its config cannot be used here: {error}") from error
