"""What the first rank alone does for a run: its lock, logs, images, checkpoints, status, and what people see."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import numpy as np
from torch import Tensor

from ganctl import images
from ganctl.checkpoints import file as checkpoint
from ganctl.checkpoints.file import Header
from ganctl.config import TrainConfig
from ganctl.data.store import Store
from ganctl.errors import WriteError, counted
from ganctl.folders.earlier import keep_logs
from ganctl.folders.run_folder import RunFolder
from ganctl.game.scalars import ordering
from ganctl.game.step import Game
from ganctl.loggers import LOGGERS
from ganctl.loggers.logger import Logger
from ganctl.runs.progress import ProgressDisplay
from ganctl.runtime.console import recorded, say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.ranks import Ranks

P = ParamSpec("P")


def first_rank(method: Callable[Concatenate[Any, P], None]) -> Callable[Concatenate[Any, P], None]:
    """Let a method of the desk do nothing on other ranks."""

    @wraps(method)
    def only_there(desk: Any, /, *arguments: P.args, **named: P.kwargs) -> None:
        if desk.first:
            method(desk, *arguments, **named)

    return only_there


class Desk:
    """Writes and prints for one run; on all but the first rank it is silent.

    Every method raises `MovedError` if the folder is no longer the locked one, and `OSError`.
    """

    def __init__(self, folder: RunFolder, config: TrainConfig, ranks: Ranks) -> None:
        self.folder = folder
        self.first = ranks.first
        self._config = config
        self._loggers: list[Logger] = []
        self._display: ProgressDisplay | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Lock the folder and record there what is printed."""
        if not self.first:
            yield
            return
        with self.folder.locked(), recorded(self.folder.log):
            yield

    @first_rank
    def claim(self, earlier: dict[str, Any], step: int | None) -> None:
        """Take the folder for a run that goes on from a step, or begins; `earlier` is the status found there."""
        self.folder.claim(self._config)
        keep_logs(self.folder, earlier, step)

    @first_rank
    def open_logs(self, header: Header | None) -> None:
        """Continue the logs where a checkpoint left them, or begin them."""
        self.folder.check_held()
        for logger in self._loggers:
            logger.close()
        config = self._config
        try:
            lengths = {} if header is None else header.logs
            self._loggers = [logger(self.folder.path, lengths) for logger in LOGGERS]
            for logger in self._loggers if header is None else ():
                logger.config(config.saved(), config.identity(), ordering(config))
        except OSError as error:
            raise WriteError.of(self.folder.path, error.errno) from error

    def close_logs(self) -> None:
        """Finish the log files."""
        for logger in self._loggers:
            logger.close()

    @first_rank
    def say(self, line: str) -> None:
        """Print a line, and record it."""
        say(line)

    def introduce(self, game: Game, store: Store, step: int) -> None:
        """Print what is trained, on what, and where."""
        config = self._config
        sizes = {
            player.name: sum(weight.numel() for weight in player.parameters)
            for player in (game.generator, game.discriminator)
        }
        self.say(f"data    {config.data.name}: {store.describe()}")
        self.say(
            f"model   {config.model.name}: generator {sizes['generator']:,} weights, "
            f"discriminator {sizes['discriminator']:,}"
        )
        self.say(f"device  {game.device.describe()}, {game.device.precision}")
        going = f"resumed at step {step:,}" if step else "new"
        self.say(f"run     {self.folder.path} ({going}, {counted(config.train.steps, 'step')})")

    @contextmanager
    def progress(self, step: int) -> Iterator[None]:
        """Show within the block how far the run is, from a step on."""
        if self.first:
            critic = self._config.loss.critic
            self._display = ProgressDisplay(step, self._config.train.steps, critic=critic)
        try:
            yield
        finally:
            if self._display is not None:
                self._display.close()

    def show(self, step: int, numbers: Mapping[str, float] | None = None) -> None:
        """Show that so many steps are done, or the numbers that were logged of the last one."""
        if self._display is not None:
            self._display.step(step) if numbers is None else self._display.numbers(step, numbers)

    @first_rank
    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers of a step."""
        self.folder.check_held()
        for logger in self._loggers:
            logger.scalars(step, values)

    @first_rank
    def image(self, step: int, pixels: np.ndarray) -> None:
        """Write and log an image of samples, uint8 [height, width, channels]."""
        png = images.png(pixels)
        self.folder.check_held()
        write_whole(self.folder.samples / f"step-{step:08d}.png", png)
        for logger in self._loggers:
            logger.image(step, png, pixels.shape[:2])

    def lengths(self) -> dict[str, int]:
        """Return the byte lengths of the log files, after everything logged so far has reached the disk."""
        found: dict[str, int] = {}
        for logger in self._loggers:
            found |= logger.lengths()
        return found

    @first_rank
    def checkpoint(self, path: Path, header: Header, tensors: Mapping[str, Tensor]) -> None:
        """Write a checkpoint; see `ganctl.checkpoints.file.write` for what it raises."""
        self.folder.check_held()
        checkpoint.write(path, header, tensors)

    @first_rank
    def prune(self, step: int) -> None:
        """Remove the checkpoints that no rule keeps, after that of a step has been written."""
        self.folder.checkpoints.prune(self._config.checkpoint, step)

    @first_rank
    def status(self, status: dict[str, Any]) -> None:
        """Replace run.json."""
        self.folder.write_status(status)
