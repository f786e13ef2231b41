"""MNIST's idx files: http://yann.lecun.com/exdb/mnist describes the format."""

import gzip
import http.client
import math
import os
import tempfile
import zlib
from pathlib import Path
from types import ModuleType

import numpy as np

from ganctl.errors import DataError
from ganctl.runtime.torchvision import import_torchvision_datasets


def load_mnist(root: str, *, train: bool, download: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST's pixels, uint8 [count, 28, 28], and labels, uint8 [count].

    Files are looked for in root/MNIST/raw and in root itself, plain or gzipped.

    Raises `DataError` if they are missing and not downloaded, or are no idx files.
    """
    root = os.path.expanduser(root)
    prefix = "train" if train else "t10k"
    names = (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
    paths = [_find(root, name) for name in names]
    if None in paths and download:
        _download(root)
        paths = [_find(root, name) for name in names]
    missing = [name for name, path in zip(names, paths, strict=True) if path is None]
    if missing:
        raise DataError(
            f"data.root: no {missing[0]} in {Path(root) / 'MNIST' / 'raw'} or {root}; put MNIST's files "
            "there (plain or .gz), name their folder by data.root=…, or set data.download=true"
        )
    pixels, labels = (read_idx(path) for path in paths if path is not None)
    if pixels.ndim != 3 or labels.ndim != 1 or len(pixels) != len(labels):
        raise DataError(f"{paths[0]}: {pixels.shape} pixels and {labels.shape} labels do not belong together")
    return pixels, labels


def read_idx(path: Path) -> np.ndarray:
    """Return the array of one idx file of unsigned bytes, decompressed if its name ends in .gz.

    Raises `DataError` if the file cannot be read or is not such a file.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    dimensions = content[3] if content[:3] == b"\x00\x00\x08" and len(content) > 3 else 0
    shape = (
        tuple(np.frombuffer(content, ">u4", dimensions, offset=4)) if len(content) >= 4 + 4 * dimensions else ()
    )
    offset = 4 + 4 * dimensions
    if not shape or math.prod(map(int, shape)) != len(content) - offset:
        raise DataError(f"{path}: not a whole idx file of unsigned bytes; fetch it again")
    return np.frombuffer(content, np.uint8, offset=offset).reshape(shape)


def _find(root: str, name: str) -> Path | None:
    folders = (Path(root) / "MNIST" / "raw", Path(root))
    candidates = [folder / (name + ending) for folder in folders for ending in ("", ".gz")]
    return next((path for path in candidates if os.path.isfile(path)), None)


def _fetch(datasets: ModuleType, root: Path) -> None:
    """Download beside the final place and move whole files there, so that a stopped download leaves none."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as temporary:
        datasets.MNIST(temporary, download=True)
        for path in (Path(temporary) / "MNIST" / "raw").iterdir():
            path.replace(raw / path.name)


def _download(root: str) -> None:
    datasets = import_torchvision_datasets()
    try:
        _fetch(datasets, Path(root))
    except (OSError, RuntimeError, http.client.HTTPException) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"data.root: MNIST could not be downloaded ({reason}); put its four idx "
            f"files into {Path(root) / 'MNIST' / 'raw'}, or name the folder that has them by data.root=…"
        ) from error
