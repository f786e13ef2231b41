"""Which checkpoints of a run stay: what the config asks for, and what was promised when they were written."""

from collections.abc import Mapping
from pathlib import Path

from ganctl.checkpoints.file import read_header
from ganctl.checkpoints.verify import config_of
from ganctl.config import CheckpointConfig
from ganctl.errors import CheckpointError
from ganctl.runtime.console import say


class Keeping:
    """What is known of the checkpoints of one run; each is opened once at most."""

    def __init__(self) -> None:
        self._promises: dict[Path, CheckpointConfig | None] = {}
        self._told = False

    def unwanted(self, files: Mapping[Path, int], rule: CheckpointConfig) -> list[Path]:
        """Return the checkpoints, given newest first with their steps, that no rule keeps.

        The rules are today's, and the one under which a checkpoint was written. How many stay by the latter
        alone is said once.
        """
        unwanted, promised = [], []
        for rank, (path, step) in enumerate(files.items()):
            if rule.keeps(rank, step):
                continue
            promise = self._promise(path)
            if promise is not None and promise.keeps(rank, step):
                promised.append(promise)
            else:
                unwanted.append(path)
        self._tell(promised, rule)
        return unwanted

    def _tell(self, promised: list[CheckpointConfig], rule: CheckpointConfig) -> None:
        if self._told or not promised:
            return
        self._told = True
        most = max(promised, key=lambda promise: promise.keep)
        more = f"{len(promised):,} more checkpoint{'s stay' if len(promised) > 1 else ' stays'}"
        say(
            f"note    {more} than checkpoint.keep={rule.keep} asks for, written under "
            f"checkpoint.keep={most.keep} checkpoint.keep_every={most.keep_every}; remove what you do not want"
        )

    def _promise(self, path: Path) -> CheckpointConfig | None:
        """Return the rule under which a checkpoint was written; None if it is damaged."""
        if path not in self._promises:
            try:
                self._promises[path] = config_of(read_header(path)).checkpoint
            except CheckpointError:
                self._promises[path] = None
        return self._promises[path]
