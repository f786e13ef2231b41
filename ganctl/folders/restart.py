"""Remains of an earlier process in a run folder: whether the run may begin again, and logs to be kept."""

import shutil
from pathlib import Path
from typing import Any

from ganctl.config import TrainConfig
from ganctl.errors import CheckpointError
from ganctl.folders.naming import refuse_other_data
from ganctl.folders.run_folder import RunFolder
from ganctl.loggers import LOGGERS
from ganctl.runtime.console import say
from ganctl.runtime.disk import sync


def refuse_to_start_over(folder: RunFolder, status: dict[str, Any], config: TrainConfig, data: str) -> None:
    """Raise `CheckpointError` if a run without a checkpoint had one once; `status` is its run.json.

    That holds the step that was saved before anything is logged; of an earlier version, the step of the run.
    Raises `DataError` if the run was begun on data of another fingerprint.
    """
    if status.get("data", data) != data:
        refuse_other_data(folder.path, folder.saved_config().get("data"), config)
    saved = status.get("saved", status.get("step") or -1)
    if isinstance(saved, int) and saved >= 0:
        told = f"run.json tells of one of step {saved:,}"
    elif "step" not in status and _has_logged(folder):
        told = "the folder holds what a run logged, and no run.json that tells whether it was saved"
    else:
        return
    place = folder.checkpoints.path
    lacking = "holds no checkpoint" if place.is_dir() else "is missing"
    raise CheckpointError(
        f"{place}: {lacking}, but {told}; bring it back (is its disk mounted?), or, to start over on "
        f"purpose, move {folder.path} away or choose another name="
    )


def keep_logs(folder: RunFolder, status: dict[str, Any], step: int | None) -> None:
    """Keep under other names, and report, what a start at a step would cut off the logs that was saved once.

    None starts the run and its logs again. What was logged after the last checkpoint is logged again.
    """
    saved = status.get("saved", -1)
    if step is None:
        if not _has_logged(folder):
            return
        why = "nothing was saved before, so the run begins again; what it logged is kept as"
    elif isinstance(saved, int) and step < saved:
        why = f"the checkpoint of step {saved:,} is gone or damaged; what was logged up to it is kept as"
    else:
        return
    pairs = _aside(folder)
    for path, aside in pairs:
        if step is None:
            path.rename(aside)
        else:
            shutil.copyfile(path, aside)
            sync(aside)
    sync(folder.path)
    say(f"{folder.path}: {why} {' and '.join(aside.name for _, aside in pairs)}")


def _has_logged(folder: RunFolder) -> bool:
    drawn = folder.samples.is_dir() and any(folder.samples.glob("step-*"))
    return drawn or (folder.metrics.is_file() and folder.metrics.stat().st_size > 0)


def _aside(folder: RunFolder) -> list[tuple[Path, Path]]:
    """Return each log with a free name for it, which TensorBoard takes for no log."""
    number = 1
    while any(folder.path.glob(f"*.earlier-{number}*")):
        number += 1
    pairs = [(folder.path / each.file, folder.path / each.kept_as.format(number)) for each in LOGGERS]
    return [(path, aside) for path, aside in pairs if path.exists()]
