"""The checkpoints of one run: which there are, which are intact, and which stay."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from ganctl.checkpoints.file import Checkpoint, Header, read_header
from ganctl.checkpoints.verify import open_checkpoint
from ganctl.config import CheckpointConfig, TrainConfig, flatten
from ganctl.errors import CheckpointError, ConfigError, PluginError
from ganctl.runtime.console import say

STEP_FILE = re.compile(r"step-\d+\.safetensors")


class CheckpointFolder:
    """The folder `checkpoints` of a run, which may be a link to a larger disk."""

    def __init__(self, run: Path, check_held: Callable[[], None]) -> None:
        self.path = run / "checkpoints"
        self.best = self.path / "best.safetensors"
        self._rule_of = cache(_rule_of)
        self._check_held = check_held
        self._reported = False

    def path_of(self, step: int) -> Path:
        """Return where the checkpoint of a step is stored."""
        return self.path / f"step-{step:08d}.safetensors"

    def files(self) -> list[Path]:
        """Return the checkpoints, newest first.

        Raises `CheckpointError` if their folder cannot be read, which is not to hold none.
        """
        try:
            names = os.listdir(self.path)
        except (FileNotFoundError, NotADirectoryError):
            if not self.path.is_symlink():
                return []
            lacking = f"leads to {self.path.readlink()}, which is not there"
        except OSError as error:
            lacking = f"cannot be read ({error.strerror})"
        else:
            return sorted(
                (self.path / name for name in names if STEP_FILE.fullmatch(name)), key=step_of, reverse=True
            )
        raise CheckpointError(
            f"{self.path}: {lacking}; is its disk mounted? To start over on purpose, move {self.path.parent} away "
            "or choose another name="
        )

    def intact(self, *, quiet: bool = False) -> Iterator[Checkpoint]:
        """Yield the checkpoints whose headers are intact and fit their configs, newest first.

        The others are reported. Raises `PluginError` at the end if a plugin is missing to read the rest.
        """
        lacking: PluginError | None = None
        for path in self.files():
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

    def readable(self) -> Iterator[Checkpoint]:
        """Yield the checkpoints whose headers are intact, newest first, whatever their configs."""
        for path in self.files():
            with suppress(CheckpointError):
                yield read_header(path)

    def best_header(self, config: TrainConfig) -> Header | None:
        """Return the header of the best checkpoint; None if there is none, or a damaged one, which is reported.

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
        if told := differences(best.config, config):
            raise ConfigError(f"{self.best}: is of a run with another config: {told}; move it elsewhere")
        return best.header

    def prune(self, rule: CheckpointConfig, step: int) -> None:
        """Remove checkpoints up to `step`, which has just been written, that no rule keeps.

        The rules are today's, and the one under which a checkpoint was written; it is reported once how many stay
        by the latter alone. Later ones, which were passed over as damaged, neither count nor go.
        """
        self._check_held()
        files = [path for path in self.files() if step_of(path) <= step and path == self.path_of(step_of(path))]
        files = [path for path in files if path.is_file() and not path.is_symlink()]
        promised = []
        for rank, path in enumerate(files):
            if rule.keeps(rank, step_of(path)):
                continue
            promise = self._rule_of(path)
            if promise is not None and promise.keeps(rank, step_of(path)):
                promised.append(promise)
            else:
                path.unlink()
        if promised and not self._reported:
            self._reported = True
            most = max(promised, key=lambda promise: promise.keep)
            more = f"{len(promised):,} more checkpoint{'s stay' if len(promised) > 1 else ' stays'}"
            say(
                f"note    {more} than checkpoint.keep={rule.keep} asks for, written under "
                f"checkpoint.keep={most.keep} checkpoint.keep_every={most.keep_every}; remove what you do not want"
            )


def step_of(path: Path) -> int:
    """Return the step in a checkpoint's name."""
    return int(path.stem.removeprefix("step-"))


def differences(there: TrainConfig, here: TrainConfig) -> str:
    """Return in which keys two runs compute other numbers, the first four with their values."""
    theirs, ours = there.identity(), here.identity()
    differing = sorted(key for key in theirs.keys() | ours.keys() if theirs.get(key) != ours.get(key))
    theirs, ours = flatten(there.saved()), flatten(here.saved())
    told = ", ".join(f"{key} ({theirs.get(key)} there, {ours.get(key)} here)" for key in differing[:4])
    return told + (f" and {len(differing) - 4} more" if len(differing) > 4 else "")


def _rule_of(path: Path) -> CheckpointConfig | None:
    """Return the rule under which a checkpoint was written; None if it is damaged."""
    try:
        return read_header(path).config.checkpoint
    except CheckpointError:
        return None
