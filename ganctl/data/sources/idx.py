"""MNIST's idx files: http://yann.lecun.com/exdb/mnist describes the format."""

import math
import os
import zlib
from pathlib import Path
from typing import Literal

import numpy as np

from ganctl.data.sources.download import download
from ganctl.errors import DataError
from ganctl.runtime.bounded import read_bytes, read_gzip

Title = Literal["MNIST", "FashionMNIST"]
"""A data set of idx files: its name for people, its class in torchvision, and its folder."""


MOST_DIMENSIONS = 32
"""As many as every version of numpy has; the format has room for 255."""


def load_idx(title: Title, root: str, *, train: bool, fetch: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return a data set's pixels, uint8 [count, 28, 28], and labels, uint8 [count].

    Files are looked for in root/<title>/raw, root/<title>, root/raw and root itself, plain or gzipped, also named
    with a dot (`train-images.idx3-ubyte`) or in a folder of their own name; if some are missing and `fetch`
    is true, torchvision downloads them into the first.

    Raises `DataError` if they are missing and not downloaded, or are no idx files.
    """
    root = os.path.expanduser(root)
    prefix = "train" if train else "t10k"
    names = (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
    paths = [_find(title, root, name) for name in names]
    if None in paths and fetch:
        _download(title, Path(root))
        paths = [_find(title, root, name) for name in names]
    missing = [name for name, path in zip(names, paths, strict=True) if path is None]
    if missing:
        raise DataError(
            f"data.root: no {missing[0]} in {Path(root) / title / 'raw'} or {root}; put {title}'s files "
            "there (plain or .gz), name their folder by data.root=…, or set data.download=true"
        )
    pixels, labels = (read_idx(path) for path in paths if path is not None)
    if pixels.ndim != 3 or labels.ndim != 1 or len(pixels) != len(labels) or not len(pixels):
        raise DataError(f"{paths[0]}: {pixels.shape} pixels and {labels.shape} labels do not belong together")
    if 0 in pixels.shape or pixels.shape[1] != pixels.shape[2]:
        raise DataError(
            f"{paths[0]}: images of {pixels.shape[1]}×{pixels.shape[2]} pixels, but {title}'s are 28×28"
        )
    return pixels, labels


def read_idx(path: Path) -> np.ndarray:
    """Return the array of one idx file of unsigned bytes, decompressed if its name ends in .gz.

    Raises `DataError` if the file cannot be read, is not such a file, or is too large for memory.
    """
    try:
        content = read_gzip(path) if path.suffix == ".gz" else read_bytes(path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    dimensions = content[3] if content[:3] == b"\x00\x00\x08" and len(content) > 3 else 0
    shape = (
        tuple(np.frombuffer(content, ">u4", dimensions, offset=4)) if len(content) >= 4 + 4 * dimensions else ()
    )
    offset = 4 + 4 * dimensions
    if not shape or len(shape) > MOST_DIMENSIONS or math.prod(map(int, shape)) != len(content) - offset:
        raise DataError(f"{path}: not a whole idx file of unsigned bytes; fetch it again")
    return np.frombuffer(content, np.uint8, offset=offset).reshape(shape)


def _find(title: Title, root: str, name: str) -> Path | None:
    folders = [Path(root) / below for below in (f"{title}/raw", title, "raw", "")]
    names = [spelling + ending for spelling in (name, name.replace("-idx", ".idx")) for ending in ("", ".gz")]
    candidates = [folder / place for folder in folders for each in names for place in (each, f"{each}/{each}")]
    return next((path for path in candidates if os.path.isfile(path)), None)


def _download(title: Title, root: Path) -> None:
    download(
        title,
        root,
        f"{title}/raw",
        lambda datasets, folder: getattr(datasets, title)(folder, download=True),
        f"put its four idx files into {root / title / 'raw'}, or name the folder that has them by data.root=…",
    )
