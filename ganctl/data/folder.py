"""Pictures of any size and mode, from a folder or a zip file, as one store of uint8."""

import numpy as np
import torch

from ganctl.data.cache import Cache, Pictures, Prepared, failures_of, labels_of, unusable
from ganctl.data.decode import Decoding
from ganctl.data.files import Found, PictureFile, common_side, search
from ganctl.data.parallel import Task
from ganctl.data.store import Store
from ganctl.errors import DataError
from ganctl.runtime.console import say


def load(
    path: str,
    subfolder: str | None,
    decoding: Decoding,
    max_bad_fraction: float,
    workers: int | None,
    cache: str | None,
    files: list[PictureFile] | None = None,
) -> Store:
    """Decode every picture below `path`, a folder or a zip file, or `files` of them, into one store.

    Files are taken in the order of their names; what is passed over, and what folders are taken for, is said.
    The name of the folder that directly holds a picture is its class, where there are two or more and nothing
    tells otherwise (see `ganctl.data.layout`).
    The store lies in the folder `cache`, where it is found again; with None, or where that folder cannot be
    used, which is said, in memory.

    Raises `DataError` if the place is missing, unreadable or without pictures, if more than
    `max_bad_fraction` of the pictures do not decode, or if a decoding process dies.
    """
    if files is None:
        found = search(path, subfolder)
        for line in remarks(found):
            say(f"data.path: {line}")
        files = found.files
    pictures = Pictures(path, subfolder, files, decoding)
    prepared = None
    if cache is not None:
        try:
            prepared = Cache(cache).prepare(pictures, workers)
        except OSError as error:
            say(f"{unusable(cache, error)}; decoding into memory instead")
    return accept(pictures, prepared or _in_memory(pictures, workers), max_bad_fraction)


def remarks(found: Found) -> list[str]:
    """Return what is to be said of files that were found, line by line."""
    passed = [f"passed over {found.passed_over}"] if found.passed else []
    runs = [f"left out {found.left_out}"] if found.runs else []
    return passed + runs + found.remarks


def accept(pictures: Pictures, prepared: Prepared, max_bad_fraction: float) -> Store:
    """Return the store of a data set that can be used, and say how many of its pictures were skipped.

    Raises `DataError` if more than `max_bad_fraction` of the pictures, or all of them, do not decode.
    """
    refuse(pictures, prepared, max_bad_fraction)
    assert prepared.store is not None
    for key, text in prepared.notes:
        say(f"data.{key}: {text}")
    if prepared.skipped:
        total, bad = prepared.total, prepared.skipped
        say(f"skipped {bad:,} of {total:,} pictures that do not decode; {_first_bad(pictures, prepared)}")
    return prepared.store


def refuse(pictures: Pictures, prepared: Prepared, max_bad_fraction: float) -> None:
    """Raise `DataError` if more than `max_bad_fraction` of the pictures, or all of them, do not decode."""
    path, total, bad = pictures.source, prepared.total, prepared.skipped
    if bad == total:
        every = "the only picture" if total == 1 else f"none of {total:,} pictures"
        decodes = "does not decode" if total == 1 else "decodes"
        raise DataError(f"data.path: {every} in {path} {decodes}; {_first_bad(pictures, prepared)}")
    if bad > max_bad_fraction * total:
        raise DataError(
            f"data.path: {bad:,} of {total:,} pictures in {path} do not decode, more than "
            f"data.max_bad_fraction={max_bad_fraction}; {_first_bad(pictures, prepared)}"
        )


def _first_bad(pictures: Pictures, prepared: Prepared) -> str:
    first = prepared.failures[0]
    names = (file.name for file in pictures.files if file.relative == first.relative)
    name = next(names, first.relative)  # one that is no file's is a frame's
    return f"the first is {name} ({first.reason})"


def _in_memory(pictures: Pictures, workers: int | None) -> Prepared:
    files, decoding = pictures.each(workers), pictures.decoding
    side = decoding.side or common_side(pictures.files)
    samples = np.empty((len(files), side, side, decoding.channels), np.uint8)
    task = Task(side, decoding, rows=None, hashed=False)
    whole = pictures.decoded(files, task, samples, workers)
    outcomes = whole.outcomes
    good = np.array([not outcome.reason for outcome in outcomes])
    bad = int((~good).sum())
    failures = failures_of(files, outcomes)
    if bad == len(files):
        return Prepared(None, bad, failures, total=len(files))
    labels, classes = labels_of(files, outcomes)
    samples = samples[good] if bad else samples
    store = Store(torch.from_numpy(samples), labels, classes, skipped=bad)
    return Prepared(store, bad, failures, total=len(files), notes=whole.notes)
