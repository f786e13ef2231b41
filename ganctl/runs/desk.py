"""What the first rank alone does for a run: its lock, logs, images, checkpoints, status, and what people see."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ganctl.checkpoints import file as checkpoint
from ganctl.checkpoints.file import Header
from ganctl.config import TrainConfig
from ganctl.errors import WriteError
from ganctl.folders.restart import keep_logs
from ganctl.folders.run_folder import RunFolder
from ganctl.game.scalars import SIGNS
from ganctl.images.png import encoded
from ganctl.loggers import LOGGERS
from ganctl.loggers.logger import Logger
from ganctl.runs.progress import ProgressDisplay
from ganctl.runtime.console import recorded, say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.ranks import Ranks


class Desk:
    """Writes and prints for one run; on all but the first rank it is silent.

    `say` prints a line, `status` replaces run.json, `prune` removes the checkpoints that no rule keeps after that
    of a step was written. All raise `OSError`, and `MovedError` if the folder is no longer the locked one.
    """

    def __init__(self, folder: RunFolder, config: TrainConfig, ranks: Ranks) -> None:
        self.folder = folder
        self.first = ranks.first
        self.say = say if self.first else _silent
        self.status = folder.write_status if self.first else _silent
        self.prune = partial(folder.checkpoints.prune, config.checkpoint) if self.first else _silent
        self.config = config
        self._loggers: list[Logger] = []
        self._display: ProgressDisplay | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Lock the folder and record there what is printed."""
        with ExitStack() as held:
            if self.first:
                held.enter_context(self.folder.locked())
                held.enter_context(recorded(self.folder.log))
            yield

    def begin(self, status: dict[str, Any], header: Header | None) -> None:
        """Take the folder, where `status` was found, for a run that goes on from a checkpoint, or begins."""
        if self.first:
            self.folder.claim(self.config)
            keep_logs(self.folder, status, None if header is None else header.step)
            self.open_logs(header)

    def open_logs(self, header: Header | None) -> None:
        """Continue the logs where a checkpoint left them, or begin them."""
        if not self.first:
            return
        self.folder.check_held()
        for logger in self._loggers:
            logger.close()
        config, lengths = self.config, {} if header is None else header.logs
        try:
            self._loggers = [logger(self.folder.path, lengths) for logger in LOGGERS]
            for logger in self._loggers if header is None else ():
                logger.config(config.saved(), config.identity(), self._ordering())
        except OSError as error:
            raise WriteError.of(self.folder.path, error.errno) from error

    def _ordering(self) -> list[str]:
        """Return the tags of logged numbers by which runs can be put in an order: losses, health, scores."""
        config = self.config
        scores = [f"evaluate/{key}/{metric.value}" for key, metric in config.metric.items()]
        return ["loss/generator", "loss/discriminator", *SIGNS, *(scores if config.evaluate.every else [])]

    def close_logs(self) -> None:
        """Finish the log files."""
        for logger in self._loggers:
            logger.close()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers of a step."""
        self.folder.check_held()
        for logger in self._loggers:
            logger.scalars(step, values)

    def lengths(self) -> dict[str, int]:
        """Return the byte lengths of the log files, after everything logged so far has reached the disk."""
        found: dict[str, int] = {}
        for logger in self._loggers:
            found |= logger.lengths()
        return found

    def image(self, step: int, pixels: np.ndarray) -> None:
        """Write and log an image of samples, uint8 [height, width, channels]."""
        if self.first:
            png = encoded(pixels)
            self.folder.check_held()
            write_whole(self.folder.samples / f"step-{step:08d}.png", png)
            for logger in self._loggers:
                logger.image(step, png, pixels.shape[:2])

    def checkpoint(self, path: Path, header: Header, tensors: Mapping[str, Tensor]) -> None:
        """Write a checkpoint; see `ganctl.checkpoints.file.write` for what it raises."""
        if self.first:
            self.folder.check_held()
            checkpoint.write(path, header, tensors)

    @contextmanager
    def progress(self, step: int) -> Iterator[None]:
        """Show within the block how far the run is, from a step on."""
        if not self.first:
            yield
            return
        self._display = ProgressDisplay(step, self.config.train.steps, critic=self.config.loss.critic)
        try:
            yield
        finally:
            self._display.close()

    def show(self, step: int, numbers: Mapping[str, float] | None = None) -> None:
        """Show that so many steps are done, or the numbers that were logged of the last one."""
        if self._display is not None:
            self._display.step(step) if numbers is None else self._display.numbers(step, numbers)


def _silent(*arguments: Any) -> None:
    """Do nothing, on other ranks."""
