"""The data that a run was trained on, where it lies now."""

from collections.abc import Mapping
from typing import Any

from ganctl.command_line.jobs import Typed
from ganctl.config import TrainConfig, train_config
from ganctl.data.store import Store
from ganctl.errors import CheckpointError, ConfigError, counted
from ganctl.folders.naming import refuse_other_data
from ganctl.runs.generator import TrainedGenerator

OTHERWISE = "take a generator that was trained on it"


def data_of(
    trained: TrainedGenerator, moved: Mapping[str, Any] | None = None, typed: Mapping[str, str] | None = None
) -> tuple[TrainConfig, Store]:
    """Return a run's config, with the keys `moved` of where its data is now, and the data.

    `typed` are the words of the command line by key. Raises `ConfigError` for a key that says something else of
    the data, `DataError` for data that is not there or not the same, `CheckpointError` for other classes.
    """
    config, header = trained.config, trained.checkpoint.header
    for key in moved or ():
        if key not in config.data.placement:
            may = ", ".join(f"data.{each}" for each in sorted(config.data.placement)) or "nothing"
            raise ConfigError(
                f"data.{key}: cannot change, because a run is compared with the data that it was trained on; what "
                f"may be given: {may}"
            )
    if moved:
        values = config.saved()
        values["data"] |= moved
        config = train_config(Typed(values, typed or {}))
    store = config.data.load()
    if store.fingerprint != header.data:
        refuse_other_data(trained.checkpoint.path, header.config.get("data"), config, OTHERWISE)
    classes = trained.space.classes
    if classes and len(classes) != len(store.classes):
        raise CheckpointError(
            f"{trained.checkpoint.path}: was trained on {counted(len(classes), 'class')}, and the data has "
            f"{len(store.classes):,}; restore the data, or {OTHERWISE}"
        )
    return config, store
