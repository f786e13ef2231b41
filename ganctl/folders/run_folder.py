"""The folder of one run: what is stored in it, and who may write to it."""

import contextlib
import fcntl
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import yaml

from ganctl.checkpoints.saved_config import saved_train_config
from ganctl.checkpoints.untrusted import parse_json, read_yaml
from ganctl.config import TrainConfig
from ganctl.errors import BusyError, CheckpointError, ConfigError, DamageError, MovedError, WriteError
from ganctl.folders.checkpoint_folder import CheckpointFolder, differences
from ganctl.folders.find import point_latest
from ganctl.plugins import named_in
from ganctl.runtime.bounded import read_text
from ganctl.runtime.console import say, shell_word
from ganctl.runtime.disk import intended, make_folder, write_whole

TRAINED = re.compile(
    r"run\.(json|id)|config\.yaml|metrics\.csv|mlflow\.db|step-\d{8,}\.(safetensors|png)|best\.safetensors"
)
"""The files that only the process which trains writes; what it left unfinished, the next one removes."""

LONGEST_STATUS = 1 << 20
"""Bytes of run.json; one has a few thousand."""


class RunFolder:
    """Names of the files of one run, and the few operations on them that must be safe."""

    def __init__(self, path: Path) -> None:
        path = path.parent / path.readlink() if path.is_symlink() else path
        if not str(path).isascii() and os.fsencode(path).decode(errors="ignore") != str(path):
            raise CheckpointError(f"{path}: its name is not UTF-8, which safetensors needs; rename it")
        self.path = path
        self._held: os.stat_result | None = None
        self.config = path / "config.yaml"
        self.checkpoints = CheckpointFolder(path, self.check_held)
        self.samples = path / "samples"
        self.metrics = path / "metrics.jsonl"
        self.log = path / "run.log"
        self.status = path / "run.json"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and keep other processes from training in it; the system frees it if this one dies.

        Raises `ConfigError` if it cannot be written, or if another process trains in it, and `CheckpointError`
        if a name that is written to leads out of it.
        """
        self._refuse_links()
        with self._writing():
            make_folder(self.path)
            lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            with self._writing():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._held = os.fstat(lock)
                self.write_status(self.read_status())
            yield
        finally:
            self._held = None
            os.close(lock)

    def check_held(self) -> None:
        """Raise `MovedError` if the folder's name leads to another than the locked one; ask before writing."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if self._held is None or os.path.samestat(self._held, os.stat(self.path / ".lock")):
                return
        raise MovedError(
            f"{self.path}: was renamed, removed or replaced while this process trained in it, which stops and "
            "writes nothing more there; `ganctl resume <its new name>` goes on from its last checkpoint"
        )

    def _refuse_links(self) -> None:
        """Raise `CheckpointError` where what is written here would end up elsewhere.

        `checkpoints` and `samples` themselves may be links to a larger disk.
        """
        written = [*self.path.glob("*"), *self.samples.glob("*"), *self.checkpoints.path.glob(".*")]
        for path in written:
            odd = path.is_symlink() or (path.exists() and not path.is_file() and not path.is_dir())
            if odd and path not in (self.samples, self.checkpoints.path):
                raise CheckpointError(f"{path}: a link or no regular file, where ganctl writes; remove it")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except BlockingIOError:
            owner = self.read_status()
            who = f"process {owner.get('process', '?')} on {owner.get('host', '?')}"
            raise BusyError(f"{self.path}: {who} is training in it; wait for it, or stop it") from None
        except OSError as error:
            raise WriteError.of(self.path, error.errno) from error

    def claim(self, config: TrainConfig) -> None:
        """Write the config and make room for what the run will leave; raises `WriteError`."""
        self.check_held()
        with self._writing():
            for folder in (self.checkpoints.path, self.samples):
                folder.mkdir(exist_ok=True)
                if folder.is_symlink():
                    say(f"note    {folder} leads to {folder.resolve()}, where the run writes and removes its own")
            plugins = f" plugins=[{','.join(config.plugins)}]" if config.plugins else ""
            command = f"ganctl resume {shell_word(self.path)}{plugins}"
            text = f"# The whole config of this run. Go on with it by\n#   {command}\n"
            text += yaml.safe_dump(config.saved(), sort_keys=False, allow_unicode=True)
            write_whole(self.config, text.encode())
            self.sweep()
        point_latest(self.path)

    def sweep(self) -> None:
        """Remove the unfinished files of a process that was killed, by the very names that are given to such."""
        self.check_held()
        for folder in (self.path, self.checkpoints.path, self.samples):
            for path in folder.iterdir() if folder.is_dir() else ():
                if TRAINED.fullmatch(intended(path) or ""):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def write_status(self, status: dict[str, Any]) -> None:
        """Replace run.json, adding which process wrote it; raises as `check_held` does, and `OSError`."""
        self.check_held()
        owner = {"process": os.getpid(), "host": platform.node()}
        write_whole(self.status, (json.dumps(status | owner, indent=2) + "\n").encode())

    def read_status(self) -> dict[str, Any]:
        """Return run.json, or nothing if it is missing or damaged."""
        try:
            status = parse_json(read_text(self.status, LONGEST_STATUS))
        except (OSError, ValueError):
            return {}
        return status if isinstance(status, dict) else {}

    def has_logged(self) -> bool:
        """Return whether the run has logged numbers or images."""
        drawn = self.samples.is_dir() and any(self.samples.glob("step-*"))
        return drawn or (self.metrics.is_file() and self.metrics.stat().st_size > 0)

    def fingerprint(self) -> str | None:
        """Return that of the data that the run was trained on; None if no checkpoint, nor run.json, holds it."""
        for checkpoint in self.checkpoints.readable():
            return checkpoint.header.data
        told = self.read_status().get("data")
        return told if isinstance(told, str) else None

    def saved_config(self) -> dict[str, Any]:
        """Return the run's own config as plain data.

        Where config.yaml is missing or damaged, that is the config of the newest checkpoint, which is reported.
        Raises `CheckpointError` if this is no run folder, or its config holds more than values.
        """
        if not self.config.exists() and not self.checkpoints.files():
            raise CheckpointError(f"{self.path}: no run folder (it has no config.yaml)")
        try:
            return read_yaml(self.config)
        except DamageError as error:
            for newest in self.checkpoints.intact(quiet=True):
                say(f"{error}; the config in {newest.path.name} is taken instead")
                return newest.header.config
            raise

    @cached_property
    def own(self) -> TrainConfig:
        """The run's own config, validated once.

        Raises `CheckpointError` as `saved_config` does, or if this ganctl knows no such config, and `PluginError`
        if a plugin is missing.
        """
        newest = islice(self.checkpoints.readable(), 1)
        plugins = (name for each in newest for name in named_in(each.header.versions))
        return saved_train_config(self.saved_config(), self.config, plugins)

    def refuse_another(self, there: TrainConfig, here: TrainConfig) -> None:
        """Raise `ConfigError` if a config found in this folder computes other numbers."""
        if told := differences(there, here):
            raise ConfigError(f"{self.path}: holds a run with another config: {told}; choose another name=")

    def completed(self, config: TrainConfig) -> int | None:
        """Return the last step of the run in this folder if it has done all of them, on data in the same place.

        Raises `ConfigError` if it was configured to compute other numbers.
        """
        if not self.config.exists():
            return None
        self.refuse_another(self.own, config)
        place = set(config.data.placement)
        if self.own.data.model_dump(include=place) != config.data.model_dump(include=place):
            return None
        for candidate in self.checkpoints.intact(quiet=True):
            header = candidate.header
            if header.step < config.train.steps or (header.evaluation_due and config.evaluate.every):
                return None
            with contextlib.suppress(CheckpointError):
                candidate.read()
                return header.step
        return None

    def finish(self, config: TrainConfig, step: int) -> None:
        """Do what a process that was killed after its last checkpoint had still to do."""
        if self.read_status().get("status") == "complete":
            return
        with contextlib.suppress(BusyError), self.locked():  # the process that trains in it does that
            self.sweep()
            self.checkpoints.prune(config.checkpoint, step)
            done = {"status": "complete", "step": step, "steps": config.train.steps, "saved": step}
            self.write_status(self.read_status() | done)
