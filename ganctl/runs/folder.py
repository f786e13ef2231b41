"""The folder of one run: what lies in it, who may write to it, and what its checkpoints are."""

import contextlib
import json
import os
import platform
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from ganctl.checkpoints.file import Checkpoint, Header, Score, read_header
from ganctl.checkpoints.untrusted import parse_json, read_yaml
from ganctl.checkpoints.verify import config_of, open_checkpoint, saved_train_config
from ganctl.config import CheckpointConfig, TrainConfig, flatten
from ganctl.errors import (
    BusyError,
    CheckpointError,
    ConfigError,
    DamageError,
    MovedError,
    PluginError,
    WriteError,
    nearest,
)
from ganctl.plugins import named_in
from ganctl.runs.keeping import Keeping
from ganctl.runtime.bounded import read_bytes, read_text
from ganctl.runtime.console import say, shell_word
from ganctl.runtime.disk import intended, make_folder, write_whole

OUTPUTS = Path("outputs")
LATEST = ".latest"
"""The file beside run folders that names the one trained in last; no link, which TensorBoard would follow."""

CHECKPOINT = re.compile(r"step-\d+\.safetensors")
TRAINED = re.compile(r"run\.json|config\.yaml|step-\d{8,}\.(safetensors|png)|best\.safetensors")
"""The files that only the process which trains writes; what it left unfinished, the next one removes."""

LONGEST_STATUS = 1 << 20
"""Bytes of run.json; one has a few thousand."""

CONFIG_HEAD = """\
# The whole config of this run. Go on with it by
#   ganctl resume {folder}{plugins}
"""


class RunFolder:
    """Names of the files of one run, and the few operations on them that must be safe."""

    def __init__(self, path: Path) -> None:
        path = path.parent / path.readlink() if path.is_symlink() else path
        if not str(path).isascii() and os.fsencode(path).decode(errors="ignore") != str(path):
            raise CheckpointError(f"{path}: its name is not UTF-8, which safetensors needs; rename it")
        self.path = path
        self._held: tuple[int, int] | None = None
        self._keeping = Keeping()
        self.config = path / "config.yaml"
        self.checkpoints = path / "checkpoints"
        self.best = self.checkpoints / "best.safetensors"
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
        lock = FileLock(self.path / ".lock", timeout=0)
        with self._writing():
            make_folder(self.path)
            try:
                lock.acquire()
            except Timeout:
                owner = self.read_status()
                who = f"process {owner.get('process', '?')} on {owner.get('host', '?')}"
                raise BusyError(f"{self.path}: {who} is training in it; wait for it, or stop it") from None
        handle = lock._context.lock_file_fd  # of which the library tells nowhere else
        assert handle is not None
        held = os.fstat(handle)
        self._held = (held.st_dev, held.st_ino)
        try:
            with self._writing():
                self.write_status(self.read_status())
            yield
        finally:
            self._held = None
            lock.release()

    def check_held(self) -> None:
        """Raise `MovedError` if the folder's name leads to another one than this process has locked.

        To be asked before anything is written, since that goes by name.
        """
        if self._held is None:
            return
        try:
            there = os.stat(self.path / ".lock")
        except (FileNotFoundError, NotADirectoryError):
            there = None
        if there is None or (there.st_dev, there.st_ino) != self._held:
            raise MovedError(
                f"{self.path}: was renamed, removed or replaced while this process trained in it, which stops and "
                "writes nothing more there; `ganctl resume <its new name>` goes on from its last checkpoint"
            )

    def claim(self, config: TrainConfig) -> None:
        """Write the config and make room for what the run will leave.

        Raises `ConfigError` if the folder cannot be written.
        """
        self.check_held()
        with self._writing():
            for folder in (self.checkpoints, self.samples):
                folder.mkdir(exist_ok=True)
                if folder.is_symlink():
                    say(f"note    {folder} leads to {folder.resolve()}, where the run writes and removes its own")
            plugins = f" plugins=[{','.join(config.plugins)}]" if config.plugins else ""
            head = CONFIG_HEAD.format(folder=shell_word(self.path), plugins=plugins)
            text = head + yaml.safe_dump(config.saved(), sort_keys=False, allow_unicode=True)
            write_whole(self.config, text.encode())
            self.sweep()
        self.point_latest()

    def sweep(self) -> None:
        """Remove what a process that was killed left half written, by the very names that are given to such.

        The folder must be locked.
        """
        self.check_held()
        for folder in (self.path, self.checkpoints, self.samples):
            for path in folder.iterdir() if folder.is_dir() else ():
                if TRAINED.fullmatch(intended(path) or ""):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise WriteError.of(self.path, error.errno) from error

    def saved_config(self) -> dict[str, Any]:
        """Return the run's own config as plain data.

        Where config.yaml is missing or damaged, that is the config of the newest checkpoint, which is said.
        Raises `CheckpointError` if this is no run folder, or its config holds more than values.
        """
        if not self.config.exists() and not self.checkpoint_files():
            beside = [] if self.path.exists() or not self.path.parent.is_dir() else self.path.parent.iterdir()
            hint = nearest(self.path.name, [path.name for path in beside])
            raise CheckpointError(f"{self.path}: no run folder (it has no config.yaml){hint}")
        try:
            return read_yaml(self.config)
        except DamageError as error:
            for newest in self.checkpoints_whole_in_header(quiet=True):
                say(f"{error}; the config in {newest.path.name} is taken instead")
                return newest.header.config
            raise

    def checkpoint_path(self, step: int) -> Path:
        """Return where the checkpoint of a step lies."""
        return self.checkpoints / f"step-{step:08d}.safetensors"

    def checkpoint_files(self) -> list[Path]:
        """Return the checkpoints, newest first.

        Raises `CheckpointError` if their folder cannot be looked into, which is not to hold none.
        """
        found = [self.checkpoints / name for name in self._listed() if CHECKPOINT.fullmatch(name)]
        return sorted(found, key=lambda path: int(path.stem.removeprefix("step-")), reverse=True)

    def _listed(self) -> list[str]:
        try:
            return os.listdir(self.checkpoints)
        except (FileNotFoundError, NotADirectoryError):
            if not self.checkpoints.is_symlink():
                return []
            lacking = f"leads to {self.checkpoints.readlink()}, which is not there"
        except OSError as error:
            lacking = f"cannot be read ({error.strerror})"
        raise CheckpointError(
            f"{self.checkpoints}: {lacking}; is its disk mounted? To start over on purpose, move {self.path} away "
            "or choose another name="
        )

    def fingerprint(self) -> str | None:
        """Return that of the data which the run was trained on; None if neither checkpoint nor run.json tells."""
        for path in self.checkpoint_files():
            with contextlib.suppress(CheckpointError):
                return read_header(path).header.data
        told = self.read_status().get("data")
        return told if isinstance(told, str) else None

    def checkpoints_whole_in_header(self, *, quiet: bool = False) -> Iterator[Checkpoint]:
        """Yield the checkpoints whose headers are whole and fit their configs, newest first.

        It is said which are passed over. Raises `PluginError` at the end if a plugin is missing to read the rest.
        """
        lacking: PluginError | None = None
        for path in self.checkpoint_files():
            try:
                opened = open_checkpoint(path)
            except PluginError as error:
                lacking = lacking or error
            except CheckpointError as error:
                if not quiet:
                    say(f"passed over a damaged checkpoint: {error}")
            else:
                if lacking is not None and not quiet:
                    say(f"passed over a checkpoint: {lacking}")
                lacking = None
                yield opened
        if lacking is not None:
            raise lacking

    def plugins(self) -> list[str]:
        """Return the names of the plugins that the newest checkpoint says it was trained with."""
        for path in self.checkpoint_files():
            with contextlib.suppress(CheckpointError):
                return named_in(read_header(path).header.versions)
        return []

    def best_score(self, config: TrainConfig) -> Score | None:
        """Return why the best checkpoint was kept; None if there is none, or a damaged one, which is said.

        Raises `ConfigError` if it comes from a run that computes other numbers.
        """
        if not self.best.exists():
            return None
        try:
            best = open_checkpoint(self.best)
            best.read()
        except CheckpointError as error:
            say(f"{error}; the next evaluation writes it anew")
            return None
        if told := _differences(config_of(best), config):
            raise ConfigError(f"{self.best}: is of a run with another config: {told}; move it elsewhere")
        return best.header.score

    def prune(self, rule: CheckpointConfig, step: int) -> None:
        """Remove checkpoints up to `step`, which has just been written, that no rule keeps.

        The rules are today's, and the one under which a checkpoint was written; it is said once how many stay by
        the latter alone. Later ones, which were passed over as damaged, neither count nor go.
        """
        self.check_held()
        steps = {path: int(path.stem.removeprefix("step-")) for path in self.checkpoint_files()}
        mine = {path: at for path, at in steps.items() if at <= step and path == self.checkpoint_path(at)}
        files = {path: at for path, at in mine.items() if stat.S_ISREG(path.lstat().st_mode)}
        for path in self._keeping.unwanted(files, rule):
            path.unlink()

    def _refuse_links(self) -> None:
        """Raise `CheckpointError` where what is written here would end up elsewhere.

        `checkpoints` and `samples` themselves may be links to a larger disk.
        """
        written = [*self.path.glob("*"), *self.samples.glob("*"), *self.checkpoints.glob(".*")]
        for path in written:
            if path in (self.samples, self.checkpoints):
                continue
            with contextlib.suppress(FileNotFoundError):  # who trains in it has renamed an unfinished file
                mode = path.lstat().st_mode
                if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                    raise CheckpointError(f"{path}: a link or no regular file, where ganctl writes; remove it")

    def write_status(self, status: dict[str, Any]) -> None:
        """Replace run.json, adding which process wrote it.

        Raises `MovedError` as `check_held` does, and `OSError`.
        """
        self.check_held()
        owner = {"process": os.getpid(), "host": platform.node()}
        write_whole(self.status, (json.dumps(status | owner, indent=2) + "\n").encode())

    def read_status(self) -> dict[str, Any]:
        """Return run.json, or nothing if it is missing or not whole."""
        try:
            status = parse_json(read_text(self.status, LONGEST_STATUS))
        except (OSError, ValueError):
            return {}
        return status if isinstance(status, dict) else {}

    def completed(self, config: TrainConfig) -> int | None:
        """Return the last step of the run in this folder if it has done all of them, on data in the same place.

        None, too, if its config.yaml is damaged and the checkpoints must show whose run it is, which is said.
        Raises `ConfigError` if it was configured to compute other numbers.
        """
        if not self.config.exists():
            return None
        try:
            there = saved_train_config(read_yaml(self.config), self.config, self.plugins())
        except DamageError as error:
            if not self.checkpoint_files():
                raise
            say(f"{error}; it is written anew")
            return None
        self._refuse_differences(there, config)
        place = set(config.data.placement)
        if there.data.model_dump(include=place) != config.data.model_dump(include=place):
            return None
        for candidate in self.checkpoints_whole_in_header(quiet=True):
            header = candidate.header
            if header.step < config.train.steps or (header.evaluation_due and config.evaluate.every):
                return None
            with contextlib.suppress(CheckpointError):
                candidate.read()
                return header.step
        return None

    def finish(self, config: TrainConfig, step: int) -> None:
        """Do what a process that was killed after its last checkpoint did not come to."""
        if self.read_status().get("status") == "complete":
            return
        with contextlib.suppress(BusyError), self.locked():  # who trains in it comes to that
            self.sweep()
            self.prune(config.checkpoint, step)
            done = {"status": "complete", "step": step, "steps": config.train.steps, "saved": step}
            self.write_status(self.read_status() | done)

    def check_origin(self, header: Header, config: TrainConfig) -> None:
        """Raise `ConfigError` if a checkpoint in this folder comes from a run that computes other numbers."""
        self._refuse_differences(saved_train_config(header.config, self.checkpoints), config)

    def _refuse_differences(self, there: TrainConfig, here: TrainConfig) -> None:
        if told := _differences(there, here):
            raise ConfigError(f"{self.path}: holds a run with another config: {told}; choose another name=")

    def point_latest(self) -> None:
        """Let `latest` mean this run; where that cannot be written, it goes on meaning another."""
        here = self.path.absolute()
        outputs = here.parent
        if outputs.name != OUTPUTS.name:
            return
        link = outputs / "latest"
        with contextlib.suppress(OSError):
            if _latest(outputs) != here.name:
                write_whole(outputs / LATEST, os.fsencode(here.name) + b"\n")
            for leftover in outputs.glob(f".{LATEST}.*"):
                if intended(leftover) == LATEST:
                    leftover.unlink()
            if link.is_symlink() and link.readlink().parent == Path():  # as earlier versions made it
                link.unlink()


def find_run(word: str) -> Path:
    """Return what a user calls a run: a folder, a name below outputs/, `latest`, or a checkpoint file.

    Raises `CheckpointError`, with the nearest name, if there is no such thing.
    """
    path = Path(os.path.expanduser(word))
    places = [path, *([OUTPUTS / path] if len(path.parts) == 1 and path.name else [])]
    there = [place for place in places if place.exists()]
    for place in there:
        if (place / "config.yaml").exists() or (place / "checkpoints").exists():
            return place
    outputs = OUTPUTS if path.parent == Path() else path.parent
    if path.name == "latest" and (name := _latest(outputs)) is not None:
        if (outputs / name).is_dir():
            return outputs / name
        raise CheckpointError(f"{word}: the run trained last was {outputs / name}, which is no longer there")
    if there:
        return there[0]
    if path.suffix == ".safetensors":
        raise CheckpointError(f"{word}: does not exist")
    beside = {each.name for place in places if place.parent.is_dir() for each in place.parent.iterdir()}
    why = "it has no config.yaml" if len(places) == 1 else f"neither here nor below {OUTPUTS}/"
    raise CheckpointError(f"{word}: no run folder ({why}){nearest(path.name, beside)}")


def _latest(outputs: Path) -> str | None:
    """Return the name of the run in a folder of runs that was trained last; None if none is known."""
    try:
        name = os.fsdecode(read_bytes(outputs / LATEST, 1024)).removesuffix("\n")
    except OSError:
        return None
    return name if name not in ("", ".", "..") and "/" not in name and "\0" not in name else None


def _differences(there: TrainConfig, here: TrainConfig) -> str:
    """Return in which keys two runs compute other numbers, the first four with their values."""
    theirs, ours = there.identity(), here.identity()
    differing = sorted(key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key))
    theirs, ours = flatten(there.saved()), flatten(here.saved())
    told = ", ".join(f"{key} ({theirs.get(key)} there, {ours.get(key)} here)" for key in differing[:4])
    return told + (f" and {len(differing) - 4} more" if len(differing) > 4 else "")
