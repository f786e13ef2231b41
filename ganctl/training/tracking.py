"""The log files of a run: metrics.jsonl and TensorBoard's events, which a resumed run continues seamlessly."""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from ganctl.runtime.disk import sync

EVENTS = "events.out.tfevents.*"


class Tracker:
    """Writes numbers and pictures of a run to its folder.

    `lengths` are the byte lengths that a checkpoint recorded: whatever was logged after it is cut off, so
    that no step appears twice. An empty mapping starts the logs anew.
    """

    def __init__(self, folder: Path, metrics: Path, lengths: Mapping[str, int]) -> None:
        self._folder = folder
        self._metrics_path = metrics
        for path in self._files():
            if path.name in lengths:
                os.truncate(path, min(lengths[path.name], path.stat().st_size))
            else:
                path.unlink()
        self._metrics = metrics.open("a")
        self._writer: Any = SummaryWriter(str(folder))

    def config(self, config: Mapping[str, Any], flat: Mapping[str, Any]) -> None:
        """Write the config as text and as TensorBoard's hyperparameters; once, at step 0."""
        text = yaml.safe_dump(dict(config), sort_keys=False)
        self._writer.add_text("config", "".join(f"    {line}\n" for line in text.splitlines()), 0)
        plain = {
            key: value if isinstance(value, int | float | str | bool) else str(value)
            for key, value in flat.items()
        }
        for summary in hparams(plain, {"loss/generator": 0, "loss/discriminator": 0}):
            self._writer.file_writer.add_summary(summary)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one line of numbers, and the same numbers as scalars."""
        row = {"step": step} | {key: value if math.isfinite(value) else None for key, value in values.items()}
        self._metrics.write(json.dumps(row) + "\n")
        self._metrics.flush()
        for key, value in values.items():
            self._writer.add_scalar(key, value, step)

    def picture(self, step: int, pixels: np.ndarray) -> None:
        """Write a picture, uint8 [height, width, channels]."""
        self._writer.add_image("samples", pixels, step, dataformats="HWC")

    def lengths(self) -> dict[str, int]:
        """Return the byte length of each log file, after everything written so far has reached the disk."""
        self._metrics.flush()
        self._writer.flush()
        files = self._files()
        for path in files:
            sync(path)
        return {path.name: path.stat().st_size for path in files}

    def close(self) -> None:
        """Finish the files."""
        self._metrics.close()
        self._writer.close()

    def _files(self) -> list[Path]:
        metrics = [self._metrics_path] if self._metrics_path.exists() else []
        return [*metrics, *sorted(self._folder.glob(EVENTS))]
