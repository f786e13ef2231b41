"""ganctl resume: go on with a run from its own saved config."""

from collections.abc import Mapping
from typing import Any

from ganctl.command_line import compose
from ganctl.command_line.jobs import Job, Typed
from ganctl.config import TrainConfig, flatten, train_config
from ganctl.errors import CheckpointError, ConfigError, nearest
from ganctl.folders.find import find_run
from ganctl.folders.run_folder import RunFolder
from ganctl.migrations import MOVED
from ganctl.runs import start
from ganctl.runtime.signals import Signals


def run(overrides: Typed, job: Job, signals: Signals) -> None:
    """Train the run that the job names further, with changed steps, intervals, device or places of its data.

    Raises `ConfigError` for a key that is unknown or would change the run's numbers, `CheckpointError` for what
    is wrong with the saved config.
    """
    path = job.subject
    place = find_run(path)
    if place.is_file():
        if place.parent.name != "checkpoints":
            raise CheckpointError(f"{path}: no run folder; ganctl resume outputs/<run>")
        own = place.parent.parent
        raise ConfigError(f"{path}: a run goes on from its newest checkpoint, not from any; `ganctl resume {own}`")
    folder = RunFolder(place)
    saved = folder.own.model_copy(update={"plugins": overrides.get("plugins", [])})
    values = saved.model_dump(mode="json")
    if "logs" in overrides:
        values["logs"] = _chosen_logs(overrides["logs"], values["logs"])
        saved = train_config(values)
    changed = {
        "device.name" if key == "device" else key: value
        for key, value in overrides.items()
        if key not in ("plugins", "logs")
    }
    for key, value in changed.items():
        _refuse(key, saved)
        *groups, last = key.split(".")
        inner = values
        for group in groups:
            inner = inner[group]
        inner[last] = value
    config = train_config(Typed(values, overrides.typed)) if changed else saved
    try:
        start.run(config, folder, signals)
    except ConfigError as error:
        key = str(error).partition(":")[0]
        if key.partition(".")[0] in values and not saved.may_change(key):
            raise CheckpointError(f"{folder.config}: {error}") from error
        raise


def _chosen_logs(names: Any, saved: Mapping[str, Any]) -> dict[str, Any]:
    """Return logs by their names, those that a run has with its own options, others as `ganctl train` has them.

    Raises `ConfigError` for anything but a list of names, or a name that no log has.
    """
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"logs: must be a list such as [jsonl,tensorboard], not {names!r}")
    (job,) = compose.jobs("train", [f"logs=[{','.join(name for name in names if name not in saved)}]"])
    known = {**job.values()["logs"], **saved}
    return {name: known[name] for name in names}


def _refuse(key: str, saved: TrainConfig) -> None:
    known = flatten(saved.saved())
    inside = [name for name in known if name.startswith(f"{key}.")]
    if inside and saved.may_change(key):
        raise ConfigError(f"{key}: is a group of keys; give the ones that shall change, such as {inside[0]}=…")
    if key not in known and not inside:
        moved = f"; here it is {MOVED[key]}" if key in MOVED else nearest(key, known)
        raise ConfigError(f"{key}: unknown key of this run{moved}")
    if key == "train.steps" and not saved.may_change(key):
        ending = [f"schedule.{name}" for name, schedule in saved.schedule if schedule.ends_with_the_run]
        raise ConfigError(
            f"train.steps: cannot change when a run goes on, because {' and '.join(ending)} ends with the run; "
            "start a new run by `ganctl train`, where schedule.….until says an end of its own"
        )
    if key == "name" or not saved.may_change(key):
        raise ConfigError(
            f"{key}: cannot change when a run goes on, because its numbers depend on it; start a new run by "
            f"`ganctl train`. What may change: {', '.join(sorted(saved.changeable() - {'name'}))}"
        )
