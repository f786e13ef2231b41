"""A set of images to decode, and what came of it."""

import hashlib
import json
import os
import time
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganctl.data.decoding import decode
from ganctl.data.decoding.decode import BadImageError, Decoding, count_frames
from ganctl.data.decoding.depth import SLIVER, SetRange, by_kind, decide
from ganctl.data.decoding.files import ImageFile, common_side, read
from ganctl.data.decoding.library_warnings import quiet
from ganctl.data.decoding.parallel import DecodeTask, Outcome, decode_all, in_threads
from ganctl.data.store import Store
from ganctl.errors import DataError
from ganctl.runtime.console import track

ENTRY_FORMAT = 1
SETTLED_SECONDS = 2.0
"""Files that changed less than so long ago may change again without a new time, and get no stamp."""

KEPT_REASONS = 1000
"""Failures that are listed."""

Notes = tuple[tuple[str, str], ...]
"""What is reported of a set: the key that it concerns, and the text."""


@dataclass(frozen=True)
class Failure:
    """An image that does not decode: its path in the data set, and why."""

    relative: str
    reason: str


@dataclass(frozen=True)
class Prepared:
    """What decoding a data set gave: a store, if any image decoded, and which images did not.

    Of `failures` the first are listed, `skipped` counts all. `folder` is the entry's, None in memory;
    `fresh` tells that it was written just now. `total` counts the images, `notes` are reported.
    """

    store: Store | None
    skipped: int
    failures: list[Failure]
    total: int
    notes: Notes = ()
    folder: Path | None = None
    fresh: bool = False


@dataclass(frozen=True)
class DecodedSet:
    """What became of each image of a set. `doubt` is why training refuses it, where its range is not clear."""

    files: list[ImageFile]
    outcomes: list[Outcome]
    notes: Notes = ()
    doubt: DataError | None = None

    @cached_property
    def bad(self) -> list[int]:
        """The positions of images that do not decode."""
        return [position for position, outcome in enumerate(self.outcomes) if outcome.reason]

    def labels(self) -> tuple[Tensor | None, tuple[str, ...]]:
        """Return labels, int64 [count], and class names of the images that decode; none of a single class."""
        pairs = zip(self.files, self.outcomes, strict=True)
        labels = [file.belongs_to for file, outcome in pairs if not outcome.reason]
        classes = sorted(set(labels))
        if len(classes) < 2:
            return None, ()
        numbers = {label: number for number, label in enumerate(classes)}
        return torch.tensor([numbers[label] for label in labels]), tuple(name for _, name in classes)

    def prepared(self, store: Store | None = None) -> Prepared:
        """Return this outcome with the store of the images that decode."""
        failures = [
            Failure(self.files[bad].relative, self.outcomes[bad].reason) for bad in self.bad[:KEPT_REASONS]
        ]
        return Prepared(store, len(self.bad), failures, len(self.files), self.notes)


@dataclass(frozen=True)
class Survey:
    """A set of images in numbers.

    `modes` (as Pillow names them), `sizes` (width, height) and `classes` count the images that decode. `blank`
    names those of one single colour, `warned` those that Pillow warned of, with its words. `duplicates` lists the
    names of images that decode to the same pixels, group by group.
    """

    whole: DecodedSet
    side: int
    modes: Counter[str]
    sizes: Counter[tuple[int, int]]
    classes: Counter[str]
    duplicates: list[list[str]]
    blank: list[str]
    warned: list[Failure]


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

    def settled(self) -> bool:
        """Return whether the files had not changed for a while when they were found."""
        newest = max((max(file.changed, default=0) for file in self.files), default=0)
        return self.found - newest / 1e9 > SETTLED_SECONDS

    @cached_property
    def side(self) -> int:
        """Pixels of a side: as the settings say, or as suits the images."""
        return self.decoding.side or common_side(self.files)

    def each(self, workers: int | None) -> list[ImageFile]:
        """Return what is decoded one by one: the files, or every frame or page of each, in order."""
        if self.decoding.frames == "first":
            return self.files

        def count(file: ImageFile) -> int:
            try:
                return count_frames(read(file))
            except BadImageError:
                return 1

        with quiet(), closing(in_threads(count, self.files, workers)) as counted:
            counts = list(track(counted, len(self.files), f"counting frames in {self.source}"))
        pairs = zip(self.files, counts, strict=True)
        return [_frame(file, number) for file, frames in pairs for number in range(frames)]

    def decoded(
        self, files: list[ImageFile], task: DecodeTask, rows: np.ndarray | None, workers: int | None
    ) -> DecodedSet:
        """Decode what `each` returned into `rows`, uint8 [count, side, side, channels], if there are any.

        Images of 8 bits are decoded once; those of more again when all of their values are known, unless the range
        is given: it is one for the set.

        Raises `DataError` if a process dies, or, unless the task is to survey, if it is not clear which values are
        black and white.
        """
        what = "checking" if task.surveyed else "decoding"
        outcomes = decode_all(files, task, rows, workers, f"{what} {self.source}")
        deep = [position for position, outcome in enumerate(outcomes) if outcome.values is not None]
        frames = _of_frames(outcomes) if self.decoding.frames == "first" else ()
        if (ends := self.decoding.range) is not None:
            note = ("range", _of_given([outcomes[position] for position in deep], ends))
            return DecodedSet(files, outcomes, (*frames, note))
        if not deep:
            return DecodedSet(files, outcomes, frames)
        try:
            ranges = decide((found for outcome in outcomes if (found := outcome.values)), self.source)
        except DataError as error:
            if task.surveyed:
                return DecodedSet(files, outcomes, frames, error)
            raise
        known = replace(task, hashed=False, ranges={kind: found.ends for kind, found in ranges.items()})
        scaled = decode_all(files, known, rows, workers, f"scaling {self.source}", deep)
        for position in deep:
            outcomes[position] = scaled[position]._replace(digest=outcomes[position].digest)
        taken = "; ".join(map(str, ranges.values()))
        return DecodedSet(files, outcomes, (*frames, ("range", f"taken as {taken}")))

    def surveyed(self, workers: int | None) -> Survey:
        """Decode every image and count what they are.

        Raises `DataError` if a decoding process dies.
        """
        task = DecodeTask(self.side, self.decoding, surveyed=True)
        whole = self.decoded(self.each(workers), task, None, workers)
        pairs = list(zip(whole.files, whole.outcomes, strict=True))
        good = [(file, outcome) for file, outcome in pairs if not outcome.reason]
        alike: defaultdict[str, list[str]] = defaultdict(list)
        for file, outcome in good:
            if outcome.pixels:
                alike[outcome.pixels].append(file.relative)
        return Survey(
            whole=whole,
            side=self.side,
            modes=Counter(outcome.mode for _, outcome in good),
            sizes=Counter(outcome.size for _, outcome in good),
            classes=Counter(file.belongs_to[1] for file, _ in good),
            duplicates=[names for names in alike.values() if len(names) > 1],
            blank=[file.relative for file, outcome in pairs if outcome.blank],
            warned=[Failure(file.relative, outcome.complaint) for file, outcome in pairs if outcome.complaint],
        )

    def in_memory(self, workers: int | None) -> Prepared:
        """Decode every image into a store in memory; raises as `decoded` does."""
        files = self.each(workers)
        samples = np.empty((len(files), self.side, self.side, self.decoding.channels), np.uint8)
        whole = self.decoded(files, DecodeTask(self.side, self.decoding), samples, workers)
        if len(whole.bad) == len(files):
            return whole.prepared()
        samples = np.delete(samples, whole.bad, axis=0) if whole.bad else samples
        return whole.prepared(Store(torch.from_numpy(samples), *whole.labels(), len(whole.bad)))


def digest_of(*parts: Any) -> str:
    """Return a digest of plain values, 32 hex digits."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _frame(file: ImageFile, number: int) -> ImageFile:
    if number == 0:
        return file
    told = f", frame {number + 1}"
    return file._replace(name=file.name + told, relative=file.relative + told, frame=number)


def _of_frames(outcomes: list[Outcome]) -> Notes:
    further = [outcome.frames - 1 for outcome in outcomes if outcome.frames > 1]
    if not further:
        return ()
    hold = f"{len(further):,} files hold" if len(further) > 1 else "1 file holds"
    frames = f"{sum(further):,} further frames or pages" if sum(further) > 1 else "1 further frame or page"
    are = "are" if sum(further) > 1 else "is"
    return (("frames", f"{hold} {frames}, which {are} left out; data.frames=all takes every one"),)


def _of_given(deep: list[Outcome], ends: tuple[float, float]) -> str:
    if not deep:
        return "has no effect, as no image has more than 8 bits"
    found = by_kind(outcome.values for outcome in deep if outcome.values is not None)
    ranges = [SetRange(ends, values) for values in found.values()]
    text = "; ".join(map(str, ranges))
    outside, cut = sum(outcome.outside for outcome in deep), sum(outcome.outside > 0 for outcome in deep)
    if outside:
        text += f"; {outside:,} values in {cut:,} of {len(deep):,} images lie outside and are cut off"
    if all(each.values.bright - each.values.dark < SLIVER * (ends[1] - ends[0]) for each in ranges):
        text += f"; the values use less than {SLIVER:.0%} of it"
    return text
