"""From a checkpoint or a config.yaml that anyone may have written to what can be worked with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ganctl.config import TrainConfig, train_config
from ganctl.errors import CheckpointError, ConfigError
from ganctl.training.checkpoint import Checkpoint, read_header
from ganctl.training.expected import check_tensors


def saved_train_config(values: Mapping[str, Any], place: Path) -> TrainConfig:
    """Validate a config that was read from a file; whatever is wrong with it is the file's fault.

    Raises `CheckpointError` that names the file and the first wrong key.
    """
    try:
        return train_config(values)
    except ConfigError as error:
        raise CheckpointError(f"{place}: its config cannot be used here: {error}") from error


def config_of(checkpoint: Checkpoint) -> TrainConfig:
    """Return the config that a checkpoint's run was started with.

    Raises `CheckpointError` if this ganctl knows no such config.
    """
    return saved_train_config(checkpoint.header.config, checkpoint.path)


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint whose header, config and list of tensors fit together; no tensor is read.

    Raises `CheckpointError` if it is missing, damaged, no checkpoint of ganctl, or not what its config makes.
    """
    opened = read_header(path)
    check_tensors(opened, config_of(opened))
    return opened
