"""Images with classes as files: a folder or a zip archive with a folder for each class."""

import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ganctl.images.png import encoded
from ganctl.runtime.disk import make_folder, sync, temporary

Labelled = tuple[str, np.ndarray]
"""The place of an image below its set, such as cat/00001.png, and its pixels, uint8 [height, width, 1, 3 or 4]."""


def write_set(path: Path, images: Iterable[Labelled]) -> None:
    """Write images as PNG files into a new folder, or into one zip archive if `path` ends in .zip.

    `path` is complete or not there at all; images are written as they come. Raises `OSError`.
    """
    unfinished = temporary(path)
    try:
        if path.suffix.lower() == ".zip":
            _archive(unfinished, images)
        else:
            _files(unfinished, images)
        sync(unfinished)
        unfinished.replace(path)
        sync(path.parent)
    except BaseException:
        if unfinished.is_dir():
            shutil.rmtree(unfinished, ignore_errors=True)
        else:
            unfinished.unlink(missing_ok=True)
        raise


def _archive(path: Path, images: Iterable[Labelled]) -> None:
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as archive:
        for name, pixels in images:
            archive.writestr(zipfile.ZipInfo(name), encoded(pixels))  # of 1980, so that equal sets are equal files


def _files(path: Path, images: Iterable[Labelled]) -> None:
    make_folder(path)
    for name, pixels in images:
        place = path / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(encoded(pixels))
