"""The folder of one run: what lies in it, who may write to it, and what its checkpoints are."""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ganctl.config import TrainConfig, train_config
from ganctl.errors import CheckpointError, ConfigError, nearest
from ganctl.runtime.console import say
from ganctl.training import checkpoint
from ganctl.training.checkpoint import Checkpoint

OUTPUTS = Path("outputs")
CONFIG_HEAD = """\
# The whole config of this run. Go on with it by
#   ganctl resume {folder}
"""


class RunFolder:
    """Names of the files of one run, and the few operations on them that must be safe."""

    def __init__(self, path: Path) -> None:
        path = path.parent / path.readlink() if path.is_symlink() else path
        self.path = path
        self.config = path / "config.yaml"
        self.checkpoints = path / "checkpoints"
        self.samples = path / "samples"
        self.metrics = path / "metrics.jsonl"
        self.log = path / "run.log"
        self.status = path / "run.json"

    def claim(self, config: TrainConfig) -> None:
        """Make the folder and write its config, or check that the run in it is the same one.

        Raises `ConfigError` if the folder cannot be written or holds a run of a different config.
        """
        if self.config.exists():
            self.refuse_differences(config)
        try:
            for folder in (self.path, self.checkpoints, self.samples):
                folder.mkdir(parents=True, exist_ok=True)
            head = CONFIG_HEAD.format(folder=self.path)
            write_whole(self.config, head + yaml.safe_dump(config.saved(), sort_keys=False))
            for leftover in self.path.glob("**/.*.tmp"):
                leftover.unlink()
        except OSError as error:
            raise ConfigError(
                f"{self.path}: cannot be written ({error.strerror}); check the folder's permissions"
            ) from error
        self._point_latest()

    def saved_config(self) -> dict[str, Any]:
        """Return the run's own config as plain data.

        Raises `CheckpointError` if this is no run folder.
        """
        try:
            values = yaml.safe_load(self.config.read_text())
        except FileNotFoundError as error:
            beside = [] if self.path.exists() or not self.path.parent.is_dir() else self.path.parent.iterdir()
            hint = nearest(self.path.name, [path.name for path in beside])
            raise CheckpointError(f"{self.path}: no run folder (it has no config.yaml){hint}") from error
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise CheckpointError(f"{self.config}: cannot be read ({' '.join(str(error).split())})") from error
        if not isinstance(values, dict):
            raise CheckpointError(f"{self.config}: not the config of a run")
        return values

    def checkpoint_path(self, step: int) -> Path:
        """Return where the checkpoint of a step lies."""
        return self.checkpoints / f"step-{step:08d}.safetensors"

    def checkpoint_files(self) -> list[Path]:
        """Return the checkpoints, newest first."""
        found = [
            path for path in self.checkpoints.glob("step-*.safetensors") if re.search(r"step-\d+$", path.stem)
        ]
        return sorted(found, key=lambda path: int(path.stem.removeprefix("step-")), reverse=True)

    def whole_checkpoints(self) -> Iterator[Checkpoint]:
        """Yield the checkpoints whose headers are whole, newest first; say which are passed over."""
        for path in self.checkpoint_files():
            try:
                yield checkpoint.read_header(path)
            except CheckpointError as error:
                say(f"passed over a damaged checkpoint: {error}")

    def prune(self, keep: int) -> None:
        """Remove all but the newest `keep` checkpoints."""
        for path in self.checkpoint_files()[keep:]:
            path.unlink()

    def write_status(self, status: dict[str, Any]) -> None:
        """Replace run.json."""
        write_whole(self.status, json.dumps(status, indent=2) + "\n")

    def read_status(self) -> dict[str, Any]:
        """Return run.json, or nothing if it is missing or not whole."""
        try:
            status = json.loads(self.status.read_text())
        except (OSError, ValueError):
            return {}
        return status if isinstance(status, dict) else {}

    def refuse_differences(self, config: TrainConfig) -> None:
        """Raise `ConfigError` if the run in this folder was configured to compute other numbers."""
        theirs = train_config(self.saved_config()).identity()
        ours = config.identity()
        differing = sorted(key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key))
        if differing:
            told = ", ".join(f"{key} ({theirs.get(key)} there, {ours.get(key)} here)" for key in differing[:4])
            more = f" and {len(differing) - 4} more" if len(differing) > 4 else ""
            raise ConfigError(f"{self.path}: holds a run with another config: {told}{more}; choose another name=")

    def _point_latest(self) -> None:
        """Let outputs/latest point to this run; a file system without links goes without."""
        if self.path.parent.name != OUTPUTS.name:
            return
        temporary = self.path.parent / f".latest.{os.getpid()}.tmp"
        with contextlib.suppress(OSError):
            temporary.symlink_to(self.path.name)
            temporary.replace(self.path.parent / "latest")


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that it is never seen half written, and survives a power cut."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
