"""Which folder is a run's whose name is derived: from its config, and from the data where that is the user's own.

Such a name is `<set>-<model>-<loss>-<8 hex>`. In a sweep, the words that differ come before the hash; a run is
found with or without them. The hash leaves the data's place out, so that a set may move; so runs of one command
shape on several sets share it, and are distinguished by the fingerprints of their data.
"""

import os
import re
from pathlib import Path
from typing import Any

from ganctl.command_line.jobs import Job
from ganctl.config import TrainConfig
from ganctl.errors import CheckpointError, DataError
from ganctl.folders.run_folder import RunFolder
from ganctl.runtime.root import outputs


class Naming:
    """The folder of one run, to be found by its config and its data; `chosen` once it is."""

    def __init__(self, config: TrainConfig, job: Job | None) -> None:
        self._config = config
        self.chosen: RunFolder | None = None
        self._name = config.run_name(sweep=job is not None, words=job.in_name() if job is not None else "")
        self._derived = config.name is None or job is not None
        self._by_data = config.data.own is not None and self._derived
        title = r"[^-]+" if self._by_data else re.escape(config.data.title)
        prefix, middle, ending = map(re.escape, config.name_parts())
        self._form = re.compile(rf"{prefix}{title}{middle}(-[\w.+=,-]+)?{ending}(-[0-9a-f]{{6}})?")

    def without_data(self) -> RunFolder | None:
        """Return the folder if it follows from name and config, or from the place of the data; else None."""
        runs = self._runs() if self._derived else []
        if self._by_data:
            own = self._config.data.own
            self.chosen = next((folder for folder, there in runs if there.get("path") == own), None)
        else:
            self.chosen = runs[0][0] if runs else RunFolder(outputs() / self._name)
        return self.chosen

    def by_data(self, fingerprint: str) -> RunFolder:
        """Return the folder of the run on data with a fingerprint, or the one for a new run."""
        runs = [folder for folder, _ in self._runs()]
        taken = any(folder.path.name == self._name for folder in runs)
        new = RunFolder(outputs() / (f"{self._name}-{fingerprint[:6]}" if taken else self._name))
        self.chosen = next((folder for folder in runs if folder.fingerprint() == fingerprint), new)
        return self.chosen

    def _runs(self) -> list[tuple[RunFolder, dict[str, Any]]]:
        """Return the runs whose names could be this one's, each with what it recorded of its data.

        Raises `CheckpointError` if the one of the very name is damaged.
        """
        found = []
        names = os.listdir(outputs()) if outputs().is_dir() else []
        for name in sorted(filter(self._form.fullmatch, names), key=lambda name: (name != self._name, name)):
            folder = RunFolder(outputs() / name)
            if not folder.config.exists() and not folder.checkpoints.files():
                continue
            try:
                data = folder.saved_config().get("data")
            except CheckpointError:
                if name == self._name:
                    raise
                continue
            found.append((folder, data if isinstance(data, dict) else {}))
        return found


def refuse_other_data(
    trained: Path, there: Any, here: TrainConfig, otherwise: str = "start a new run under another name="
) -> None:
    """Raise `DataError` that explains why the data is not what a run or checkpoint was trained on.

    `there` is the data in its own config, `here` the config whose data has been read.
    """
    own, was = here.data.own, there.get("path") if isinstance(there, dict) else None
    if own is not None and isinstance(was, str) and _real(own) != _real(was):
        raise DataError(
            f"data: {trained} was trained on {was}, and {own} holds other samples; {otherwise}, or give "
            f"data.path={was}"
        )
    raise DataError(
        f"data: {own or here.data.name} has changed since {trained} was trained on it, or is read in another way; "
        f"restore it, or {otherwise}"
    )


def _real(path: str) -> str:
    return os.path.realpath(os.path.expanduser(path))
