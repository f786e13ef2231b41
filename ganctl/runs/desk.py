"""What the first rank alone writes for a run: its lock, logs, images, checkpoints and status."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np
from torch import Tensor

from ganctl.checkpoints import file as checkpoint
from ganctl.checkpoints.file import Header, read_header
from ganctl.config import TrainConfig
from ganctl.errors import CheckpointError, WriteError
from ganctl.folders.run_folder import RunFolder
from ganctl.game.scalars import SIGNS
from ganctl.images.png import encoded
from ganctl.images.terminal import show
from ganctl.loggers import LoggedRun, Logger
from ganctl.loggers.parts.guarded import open_log
from ganctl.processes.ranks import Ranks
from ganctl.runtime.console import recorded, say
from ganctl.runtime.disk import sync, write_whole


class Desk:
    """Writes for one run; on all but the first rank it does nothing, and nothing is printed while it is open.

    Every method raises `OSError` or `WriteError`, and `MovedError` if the folder is no longer the locked one.
    """

    def __init__(self, folder: RunFolder, config: TrainConfig, ranks: Ranks) -> None:
        self.folder = folder
        self.config = config
        self._ranks = ranks
        self._loggers: list[Logger] = []

    @contextmanager
    def open(self) -> Iterator[None]:
        """Lock the folder and record there what is printed."""
        with ExitStack() as held, self._ranks.speaking():
            if self._ranks.first:
                held.enter_context(self.folder.locked())
                held.enter_context(recorded(self.folder.log))
            yield

    def begin(self, status: dict[str, Any], header: Header | None) -> None:
        """Take the folder, where `status` was found, for a run that goes on from a checkpoint, or begins."""
        if self._ranks.first:
            self.folder.claim(self.config)
            saved = status.get("saved")
            if header is None and self.folder.has_logged():
                self._keep_logs("nothing was saved before, so the run begins again; what it logged is kept as")
            elif header is not None and isinstance(saved, int) and header.step < saved:
                gone = f"the checkpoint of step {saved:,} is gone or damaged"
                self._keep_logs(f"{gone}; what was logged up to it is kept as")
            self.open_logs(header)

    def _keep_logs(self, why: str) -> None:
        """Keep the logs under free names that no TensorBoard reads: more is cut off than is logged again."""
        folder, number = self.folder.path, 1
        while any(folder.glob(f"*.earlier-{number}*")):
            number += 1
        kept = []
        for log in self.config.logs.values():
            path, aside = folder / log.file, folder / log.kept_as.format(number)
            if log.file and path.exists():
                shutil.copyfile(path, aside)
                sync(aside)
                kept.append(aside.name)
        sync(folder)
        say(f"{folder}: {why} {' and '.join(kept)}")

    def open_logs(self, header: Header | None) -> None:
        """Continue the logs where a checkpoint left them, or begin them."""
        if not self._ranks.first:
            return
        self.folder.check_held()
        self.close_logs("stopped")
        config, path = self.config, self.folder.path
        ordering = ["loss/generator", "loss/discriminator", *SIGNS]
        if config.evaluate.every:
            ordering += [f"evaluate/{key}/{metric.value}" for key, metric in config.metric.items()]
        marks, step = (header.logs, header.step) if header is not None else ({}, 0)
        run = LoggedRun(path, marks, step, config.saved(), config.identity(), ordering)
        try:
            for key, log in config.logs.items():
                self._loggers.append(open_log(key, log, run))
            for logger in self._loggers:
                if logger.behind:
                    logger.begin(run)
        except OSError as error:
            self.close_logs("failed")
            raise WriteError.of(path, error.errno) from error
        with suppress(CheckpointError):
            if header is not None:
                self._log_best(read_header(self.folder.checkpoints.best).header)

    def close_logs(self, status: str) -> None:
        """Finish the logs of a run that ends, or is opened again, with a status of run.json."""
        with ExitStack() as ending:  # which ends all, even if one cannot be written
            for logger in self._loggers:
                ending.callback(logger.close, status)
            self._loggers = []

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Log numbers of a step."""
        self.folder.check_held()
        for logger in self._loggers:
            logger.scalars(step, values)

    def lengths(self) -> dict[str, int]:
        """Return the byte lengths of the log files, after everything logged so far has reached the disk."""
        return {file: length for logger in self._loggers for file, length in logger.mark().items()}

    def image(self, step: int, pixels: np.ndarray) -> None:
        """Write and log an image of samples, uint8 [height, width, channels]."""
        if self._ranks.first:
            png = encoded(pixels)
            self.folder.check_held()
            write_whole(self.folder.samples / f"step-{step:08d}.png", png)
            for logger in self._loggers:
                logger.image(step, png, pixels.shape[:2])
            if self.config.sample.show:
                show(pixels)

    def checkpoint(self, header: Header, tensors: Mapping[str, Tensor]) -> None:
        """Write the checkpoint of a step and remove those that no rule keeps; with a score, replace the best one.

        See `ganctl.checkpoints.file.write` for what it raises.
        """
        if self._ranks.first:
            self.folder.check_held()
            stored = self.folder.checkpoints
            if header.score is not None:
                checkpoint.write(stored.best, header, tensors)
                self._log_best(header)
            else:
                checkpoint.write(stored.path_of(header.step), header, tensors)
                stored.prune(self.config.checkpoint, header.step)

    def _log_best(self, header: Header) -> None:
        if header.score is not None:
            name = header.score.by.partition(" ")[0].replace(".", "/")
            for logger in self._loggers:
                logger.best(header.step, name, header.score.value)

    def status(self, status: dict[str, Any]) -> None:
        """Replace run.json."""
        if self._ranks.first:
            self.folder.write_status(status)
