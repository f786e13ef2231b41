"""TensorBoard's event file: numbers, images, the config and its hyperparameters."""

import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import yaml
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.summary import hparams, text

from ganctl.loggers.logger import LoggedRun
from ganctl.loggers.parts.log_file import LogFile
from ganctl.loggers.parts.tags import tag

RECORD_HEAD, RECORD_FRAME = struct.Struct("<QI"), 16
"""A record of an event file: the length of its content and a checksum of that, then the content and a checksum."""


class EventFile(LogFile):
    """Logs what `tensorboard --logdir outputs` shows; `marks` are the lengths of logs. Files of others stay."""

    def __init__(self, path: Path, marks: Mapping[str, int]) -> None:
        super().__init__(path, marks.get(path.name))
        for other in path.parent.glob("events.out.tfevents.*"):
            if other.name in marks and other != path:  # of earlier versions
                self.cut(other, marks[other.name])
                self.behind = False
        self._records = RecordWriter(self)
        if path.stat().st_size == 0:
            self._record(file_version="brain.Event:2")

    def config(self, run: LoggedRun) -> None:
        """Write the config as text, and hyperparameters: the keys of `identity`, and tags to sort runs by.

        A null has no column: among numbers, a text cannot be sorted.
        """
        lines = yaml.safe_dump(dict(run.config), sort_keys=False).splitlines()
        plain = {
            key: value if isinstance(value, int | float | str | bool) else str(value)
            for key, value in run.identity.items()
            if value is not None
        }
        written = text("config", "".join(f"    {line}\n" for line in lines))
        for summary in (written, *hparams(plain, dict.fromkeys(map(tag, run.ordering), 0))):
            self._record(step=0, summary=summary)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write numbers as scalars."""
        found = [Summary.Value(tag=tag(key), simple_value=value) for key, value in values.items()]
        self._record(step=step, summary=Summary(value=found))

    def image(self, step: int, png: bytes, size: tuple[int, int]) -> None:
        """Write an image."""
        height, width = size
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
        self._record(step=step, summary=Summary(value=[Summary.Value(tag="samples", image=image)]))

    def _record(self, **fields: Any) -> None:
        self._records.write(Event(wall_time=time.time(), **fields).SerializeToString())

    def intact(self, file: BinaryIO, length: int) -> int:
        """Return the length up to the last record that is there to its end; none of their content is read."""
        end = 0
        while end + RECORD_FRAME <= length:
            file.seek(end)
            (size, digest) = RECORD_HEAD.unpack(file.read(RECORD_HEAD.size))
            if digest != masked_crc32c(struct.pack("<Q", size)) or end + RECORD_FRAME + size > length:
                break
            end += RECORD_FRAME + size
        return end
