"""The log files of a run: metrics.jsonl and TensorBoard's events, which a resumed run continues seamlessly."""

import json
import math
import os
import struct
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import yaml
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.summary import hparams, text

from ganctl.runtime.bounded import opened
from ganctl.runtime.console import say

EVENTS = "events.out.tfevents.0.ganctl"
PATTERN = "events.out.tfevents.*"
RECORD_HEAD, RECORD_FRAME = struct.Struct("<QI"), 16
"""A record of an event file: the length of its content and a checksum of that, then the content and a checksum."""

CHUNK = 1 << 20
"""Bytes of a log that are read at once."""


class Tracker:
    """Writes numbers and pictures of a run to two files in its folder, which it continues when it is resumed.

    `lengths` are the byte lengths that a checkpoint recorded: whatever was logged after it is cut off, so
    that no step appears twice. An empty mapping starts the logs anew. Event files of others stay. Writes happen
    where they are asked for, in the caller's thread, so that a disk that is full is noticed there: every method
    raises `OSError`.
    """

    def __init__(self, folder: Path, metrics: Path, lengths: Mapping[str, int]) -> None:
        self._paths = [metrics, folder / EVENTS]
        recorded = [path for path in folder.glob(PATTERN) if path.name in lengths]  # of earlier versions, too
        for path in {*self._paths, *recorded}:
            _cut(path, lengths.get(path.name))
        self._metrics, self._events = (path.open("ab") for path in self._paths)
        self._records = RecordWriter(self._events)
        if self._paths[1].stat().st_size == 0:
            self._record(Event(wall_time=time.time(), file_version="brain.Event:2"))

    def config(self, config: Mapping[str, Any], identity: Mapping[str, Any], ordering: Sequence[str]) -> None:
        """Write the config as text, and TensorBoard's hyperparameters; once, at step 0.

        Those are the keys of `identity`, the ones that determine the run's numbers, and tags of `ordering`, by
        which runs can be sorted. A null has no column: among numbers, a text cannot be sorted.
        """
        lines = yaml.safe_dump(dict(config), sort_keys=False).splitlines()
        plain = {
            key: value if isinstance(value, int | float | str | bool) else str(value)
            for key, value in identity.items()
            if value is not None
        }
        written = text("config", "".join(f"    {line}\n" for line in lines))
        for summary in (written, *hparams(plain, dict.fromkeys(ordering, 0))):
            self._record(Event(wall_time=time.time(), step=0, summary=summary))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write one line of numbers, and the same numbers as scalars."""
        row = {"step": step} | {key: value if math.isfinite(value) else None for key, value in values.items()}
        self._metrics.write(json.dumps(row).encode() + b"\n")
        self._metrics.flush()
        self._summary(step, [Summary.Value(tag=key, simple_value=value) for key, value in values.items()])

    def picture(self, step: int, png: bytes, size: tuple[int, int]) -> None:
        """Write a picture, the bytes of a PNG file of a size (height, width) in pixels."""
        height, width = size
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=png)
        self._summary(step, [Summary.Value(tag="samples", image=image)])

    def lengths(self) -> dict[str, int]:
        """Return the byte length of each log file, after everything written so far has reached the disk."""
        lengths = {}
        for path, file in zip(self._paths, (self._metrics, self._events), strict=True):
            file.flush()
            os.fsync(file.fileno())
            lengths[path.name] = os.fstat(file.fileno()).st_size
        return lengths

    def close(self) -> None:
        """Finish the files."""
        self._metrics.close()
        self._events.close()

    def _summary(self, step: int, values: list[Any]) -> None:
        self._record(Event(wall_time=time.time(), step=step, summary=Summary(value=values)))

    def _record(self, event: Any) -> None:
        self._records.write(event.SerializeToString())
        self._records.flush()


def _cut(path: Path, length: int | None) -> None:
    """Cut a log to a length, or remove it if none is known; say so if some of it is missing."""
    if length is None:
        path.unlink(missing_ok=True)
        return
    there = path.stat().st_size if path.exists() else 0
    if there > length:
        os.truncate(path, length)
    elif there < length:
        path.touch()
        kept = _whole(path)
        os.truncate(path, kept)
        say(f"{path}: {length - kept:,} bytes that were logged earlier are missing; the run goes on without them")


def _whole(path: Path) -> int:
    """Return the length of a log up to its last whole line, or record; no more than a chunk is held in memory."""
    with opened(path) as file:
        length = file.seek(0, os.SEEK_END)
        return _whole_records(file, length) if path.match(PATTERN) else _whole_lines(file, length)


def _whole_lines(file: BinaryIO, length: int) -> int:
    while length > 0:
        start = max(0, length - CHUNK)
        file.seek(start)
        if (found := file.read(length - start).rfind(b"\n")) >= 0:
            return start + found + 1
        length = start
    return 0


def _whole_records(file: BinaryIO, length: int) -> int:
    end = 0
    while end + RECORD_FRAME <= length:
        file.seek(end)
        (size, digest) = RECORD_HEAD.unpack(file.read(RECORD_HEAD.size))
        if digest != masked_crc32c(struct.pack("<Q", size)) or end + RECORD_FRAME + size > length:
            break
        end += RECORD_FRAME + size
    return end
