"""Images of any size and mode, from a folder or a zip file."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field

from ganctl.data.cache.entries import Cache, unusable
from ganctl.data.cache.image_set import ImageSet, Prepared
from ganctl.data.decoding.decode import Decoding
from ganctl.data.decoding.files import FoundImages, ImageFile, search
from ganctl.data.source import SOURCES, LabelledSource, Range, Resolution, Workers
from ganctl.data.store import Store
from ganctl.errors import DataError, counted
from ganctl.runtime.console import say

FEW_IMAGES = 500


@SOURCES.register
class Folder(LabelledSource):
    """Images of any size and mode in a folder or a zip file."""

    placement = frozenset({"path", "workers", "cache"})
    name: Literal["folder"]
    path: str
    subfolder: str | None
    resolution: Resolution | None
    channels: Literal[1, 3, 4]
    fit: Literal["crop", "squash", "pad"]
    range: Range | None
    frames: Literal["first", "all"]
    max_bad_fraction: Annotated[float, Field(ge=0, le=1)]
    workers: Workers | None
    cache: str | None

    @property
    def decoding(self) -> Decoding:
        """How images are brought to one shape."""
        return Decoding(self.resolution, self.channels, self.fit, self.range, self.frames)

    def load(self) -> Store:
        """Return every image that decodes, with the class that its folder or a table of labels gives it."""
        store = self.decoded()
        if len(store) < FEW_IMAGES:
            count = counted(len(store), "image")
            say(f"only {count}: the generator will learn so few by heart; thousands make a good set")
        return store

    def decoded(self, key: str = "data.path") -> Store:
        """Return the same without advice on training; `key` names the path in what is reported."""
        keys = self.max_bad_fraction, self.workers, self.cache
        return load(self.path, self.subfolder, self.decoding, *keys, key=key)


def load(
    path: str,
    subfolder: str | None,
    decoding: Decoding,
    max_bad_fraction: float,
    workers: int | None,
    cache: str | None,
    files: list[ImageFile] | None = None,
    key: str = "data.path",
) -> Store:
    """Decode every image below `path`, a folder or a zip file, or `files` of them, into one store, sorted by name.

    What is passed over, and what folders are taken for, is reported; `ganctl.data.decoding.layout` finds classes.
    The store is written to the folder `cache`, where it is found again. With None, or where that folder cannot
    be used, which is reported, it is in memory.

    Raises `DataError` if the place is missing, unreadable or without images, if more than
    `max_bad_fraction` of the images do not decode, or if a decoding process dies.
    """
    reason = ""
    if files is None:
        found = search(path, subfolder)
        for line in remarks(found):
            say(f"{key}: {line}")
        files, reason = found.files, found.without_labels
    images = ImageSet(path, subfolder, files, decoding)
    store = accept(images, _prepared(images, workers, cache), max_bad_fraction)
    return store if store.labels is not None else replace(store, without_labels=reason)


def _prepared(images: ImageSet, workers: int | None, cache: str | None) -> Prepared:
    if cache is not None:
        try:
            return Cache(cache).prepare(images, workers)
        except OSError as error:
            say(f"{unusable(cache, error)}; decoding into memory instead")
    return images.in_memory(workers)


def remarks(found: FoundImages) -> list[str]:
    """Return what is reported of files that were found, line by line."""
    lines = [("passed over", found.passed_over), ("left out", found.left_out)]
    return [f"{what} {text}" for what, text in lines if text] + found.remarks


def accept(images: ImageSet, prepared: Prepared, max_bad_fraction: float) -> Store:
    """Return the store of a data set that can be used, and say how many of its images were skipped.

    Raises `DataError` if more than `max_bad_fraction` of the images, or all of them, do not decode.
    """
    refuse(images, prepared, max_bad_fraction)
    assert prepared.store is not None
    for key, text in prepared.notes:
        say(f"data.{key}: {text}")
    if prepared.skipped:
        total, bad = prepared.total, prepared.skipped
        say(f"skipped {bad:,} of {total:,} images that do not decode; {_first_bad(images, prepared)}")
    return prepared.store


def refuse(images: ImageSet, prepared: Prepared, max_bad_fraction: float) -> None:
    """Raise `DataError` if more than `max_bad_fraction` of the images, or all of them, do not decode."""
    path, total, bad = images.source, prepared.total, prepared.skipped
    if bad == total:
        what = f"none of {total:,} images in {path} decodes"
        if total == 1:
            what = f"the only image in {path} does not decode"
    elif bad > max_bad_fraction * total:
        limit = f"data.max_bad_fraction={max_bad_fraction}"
        what = f"{bad:,} of {total:,} images in {path} do not decode, more than {limit}"
    else:
        return
    raise DataError(f"data.path: {what}; {_first_bad(images, prepared)}")


def _first_bad(images: ImageSet, prepared: Prepared) -> str:
    first = prepared.failures[0]
    names = (file.name for file in images.files if file.relative == first.relative)
    return f"the first is {next(names, first.relative)} ({first.reason})"  # of a frame there is no file
