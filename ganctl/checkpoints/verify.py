"""From a checkpoint or a config.yaml that anyone may have written to what can be worked with."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ganctl.checkpoints.expected import check_tensors
from ganctl.checkpoints.file import Checkpoint, read_header
from ganctl.config import TrainConfig, train_config
from ganctl.errors import CheckpointError, ConfigError, PluginError, UnknownNameError
from ganctl.plugins import named_in


def saved_train_config(values: Mapping[str, Any], place: Path, plugins: Iterable[str] = ()) -> TrainConfig:
    """Validate a config that was read from a file; whatever is wrong with it is the file's fault.

    `plugins` are those that it is known to have been trained with, to be told if something is missing. Raises
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


def config_of(checkpoint: Checkpoint) -> TrainConfig:
    """Return the config that a checkpoint's run was started with.

    Raises `CheckpointError` if this ganctl knows no such config.
    """
    return saved_train_config(checkpoint.header.config, checkpoint.path, named_in(checkpoint.header.versions))


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint whose header, config and list of tensors fit together; no tensor is read.

    Raises `CheckpointError` if it is missing, damaged, no checkpoint of ganctl, or not what its config makes.
    """
    opened = read_header(path)
    check_tensors(opened, config_of(opened))
    return opened
