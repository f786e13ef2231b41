"""A set of images to decode, and what came of it."""

import hashlib
import json
import os
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ganctl.data.decoding import decode
from ganctl.data.decoding.decode import Decoding
from ganctl.data.decoding.decoded_set import DecodedSet, Failure, Notes, decode_set, with_frames
from ganctl.data.decoding.files import ImageFile, common_side
from ganctl.data.decoding.parallel import DecodeTask
from ganctl.data.store import Store

ENTRY_FORMAT = 1
SETTLED_SECONDS = 2.0
"""Files that changed less than so long ago may change again without a new time, and get no stamp."""


@dataclass(frozen=True)
class Prepared:
    """What decoding a data set gave: a store, if any image decoded, and which images did not.

    Of `failures` the first are listed, `skipped` counts all. `folder` is the entry's, None in memory;
    `fresh` tells that it was written just now. `total` counts the images, `notes` are reported.
    """

    store: Store | None
    skipped: int
    failures: list[Failure]
    folder: Path | None = None
    fresh: bool = False
    total: int = 0
    notes: Notes = ()


@dataclass(frozen=True)
class ImageSet:
    """Which images are to be decoded, and how. `source` is their place, for people, `found` the time in s."""

    source: str
    subfolder: str | None
    files: list[ImageFile]
    decoding: Decoding
    found: float = field(default_factory=time.time)

    @cached_property
    def listing(self) -> str:
        """A digest of the settings, of names and sizes, and of classes that are not folders."""
        names = [(file.relative, file.size) for file in self.files]
        labels = [file.label for file in self.files]
        where = "" if self.subfolder is None else os.path.normpath(self.subfolder)
        told = [labels] if any(labels) else []  # classes that are folders are told by the names
        return digest_of(ENTRY_FORMAT, decode.VERSION, self.decoding.settings(), where, names, *told)

    def stamp(self) -> str:
        """Return a digest of the listing, the place, and the times at which each file last changed."""
        parted = [(os.path.split(file.place), file.changed) for file in self.files]
        real = {folder: os.path.realpath(folder) for folder in {folder for (folder, _), _ in parted}}
        return digest_of(self.listing, [(real[folder], name, changed) for (folder, name), changed in parted])

    def content(self) -> str | None:
        """Return the digest of the images' content where it is known without reading them: in a zip file."""
        checksums = [file.member.CRC for file in self.files if file.member is not None]
        return digest_of(checksums) if checksums else None

    def each(self, workers: int | None) -> list[ImageFile]:
        """Return what is decoded one by one: the files, or every frame of each."""
        return self.files if self.decoding.frames == "first" else with_frames(self.files, workers, self.source)

    @cached_property
    def side(self) -> int:
        """Pixels of a side: as the settings say, or as suits the images."""
        return self.decoding.side or common_side(self.files)

    def decoded(
        self, files: list[ImageFile], task: DecodeTask, rows: np.ndarray, workers: int | None
    ) -> DecodedSet:
        """Decode what `each` returned into `rows`, uint8 [count, side, side, channels].

        Raises `DataError` if a process dies, or if it is not clear which values are black and white.
        """
        whole = decode_set(files, task, rows, workers, "decoding", self.source)
        if whole.doubt is not None:
            raise whole.doubt
        return whole

    def settled(self) -> bool:
        """Return whether the files had not changed for a while when they were found."""
        newest = max((max(file.changed, default=0) for file in self.files), default=0)
        return self.found - newest / 1e9 > SETTLED_SECONDS


def digest_of(*parts: Any) -> str:
    """Return a digest of plain values, 32 hex digits."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
