"""A set of images, decoded with one range of values for all of it. Needs no torch."""

from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ganctl.data.decoding.decode import BadImageError, count_frames
from ganctl.data.decoding.depth import SLIVER, SetRange, decide, together
from ganctl.data.decoding.files import ImageFile, read
from ganctl.data.decoding.parallel import DecodeTask, Outcome, decode_all, in_threads
from ganctl.data.decoding.quiet import quiet
from ganctl.errors import DataError
from ganctl.runtime.console import track

Notes = tuple[tuple[str, str], ...]
"""What is reported of a set: the key that it concerns, and the text."""

KEPT_REASONS = 1000
"""Failures that are listed."""


@dataclass(frozen=True)
class Failure:
    """An image that does not decode: its path in the data set, and why."""

    relative: str
    reason: str


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

    @property
    def failures(self) -> list[Failure]:
        """The first of the images that do not decode."""
        first = self.bad[:KEPT_REASONS]
        return [Failure(self.files[each].relative, self.outcomes[each].reason) for each in first]

    def labels(self) -> tuple[np.ndarray | None, tuple[str, ...]]:
        """Return labels, int64 [count], and class names of the images that decode; none of a single class."""
        pairs = zip(self.files, self.outcomes, strict=True)
        labels = [file.belongs_to for file, outcome in pairs if not outcome.reason]
        classes = sorted(set(labels))
        if len(classes) < 2:
            return None, ()
        numbers = {label: number for number, label in enumerate(classes)}
        return np.array([numbers[label] for label in labels], np.int64), tuple(name for _, name in classes)


def decode_set(
    files: list[ImageFile], task: DecodeTask, rows: np.ndarray | None, workers: int | None, what: str, source: str
) -> DecodedSet:
    """Decode every image as `decode_all` does, values of more than 8 bits by one range for the set.

    Images of 8 bits are decoded once; the others again when all of their values are known, unless the range is
    given.

    Raises `DataError` if a process dies.
    """
    outcomes = decode_all(files, task, rows, workers, f"{what} {source}")
    deep = [position for position, outcome in enumerate(outcomes) if outcome.values is not None]
    frames = _of_frames(outcomes) if task.decoding.frames == "first" else ()
    if task.decoding.range is not None:
        return DecodedSet(
            files, outcomes, frames + _of_given([outcomes[position] for position in deep], task.decoding.range)
        )
    if not deep:
        return DecodedSet(files, outcomes, frames)
    try:
        ranges = decide([values for outcome in outcomes if (values := outcome.values) is not None], source)
    except DataError as error:
        return DecodedSet(files, outcomes, frames, error)
    known = replace(task, hashed=False, ranges={kind: found.ends for kind, found in ranges.items()})
    scaled = decode_all(files, known, rows, workers, f"scaling {source}", deep)
    for position in deep:
        outcomes[position] = scaled[position]._replace(digest=outcomes[position].digest)
    taken = "; ".join(f"{found}" for found in ranges.values())
    return DecodedSet(files, outcomes, (*frames, ("range", f"taken as {taken}")))


def with_frames(files: list[ImageFile], workers: int | None, source: str) -> list[ImageFile]:
    """Return an image file for each frame or page of each file, in order."""

    def count(file: ImageFile) -> int:
        try:
            return count_frames(read(file))
        except BadImageError:
            return 1

    with quiet(), closing(in_threads(count, files, workers)) as counted:
        counts = list(track(counted, len(files), f"counting frames in {source}"))
    return [_frame(file, number) for file, frames in zip(files, counts, strict=True) for number in range(frames)]


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


def _of_given(deep: list[Outcome], ends: tuple[float, float]) -> Notes:
    found = [outcome.values for outcome in deep if outcome.values is not None]
    if not found:
        return (("range", "has no effect, as no image has more than 8 bits"),)
    kinds = sorted({values.kind for values in found})
    ranges = [SetRange(ends, together([values for values in found if values.kind == kind])) for kind in kinds]
    text = "; ".join(f"{each}" for each in ranges)
    outside, cut = sum(outcome.outside for outcome in deep), sum(outcome.outside > 0 for outcome in deep)
    if outside:
        text += f"; {outside:,} values in {cut:,} of {len(deep):,} images lie outside and are cut off"
    if all(each.values.bright - each.values.dark < SLIVER * (ends[1] - ends[0]) for each in ranges):
        text += f"; the values use less than {SLIVER:.0%} of it"
    return (("range", text),)
