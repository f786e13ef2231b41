"""Small colour photographs."""

import os
import tarfile
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch

from ganctl.data.source import SOURCES, LabelledSource, Resolution, resize
from ganctl.data.sources.download import download
from ganctl.data.store import Store
from ganctl.errors import DataError
from ganctl.runtime.bounded import UntrustedFileError, regular_size
from ganctl.runtime.torchvision_import import import_torchvision

FOLDER = "cifar-10-batches-py"
PACKED = "cifar-10-python.tar.gz"
ARCHIVE = f"{PACKED} (from https://www.cs.toronto.edu/~kriz/cifar.html)"
MOST_BYTES = 1 << 30
"""Of the archive and of each file in it; the originals have 170 and 31 million."""


@SOURCES.register
class Cifar10(LabelledSource):
    """CIFAR-10 (Krizhevsky 2009): photographs of 32×32 pixels in ten classes, read by torchvision.

    Its files are pickled, which could run code, so torchvision reads none whose md5 is not the original's.
    """

    placement = frozenset({"root", "download"})
    name: Literal["cifar10"]
    root: str
    split: Literal["train", "test"]
    download: bool
    resolution: Resolution

    def load(self) -> Store:
        """Return the photographs: 32 pixels as they are, else resized."""
        datasets = import_torchvision().datasets
        found = self._read(datasets, self._place(datasets))
        samples = np.ascontiguousarray(resize(found.data, self.resolution))
        return Store(torch.from_numpy(samples), torch.tensor(found.targets), tuple(found.classes))

    def _place(self, datasets: ModuleType) -> Path:
        """Return the folder that holds the folder of the batches, into which they are downloaded if need be."""
        root = Path(os.path.expanduser(self.root))
        if root.name == FOLDER and root.is_dir():
            return root.parent
        if root.name == PACKED and root.is_file():
            root = root.parent
        folder, packed = root / FOLDER, root / PACKED
        names = [name for name, _ in _files(datasets)]
        missing = [name for name in names if not (folder / name).is_file()]
        if missing and packed.exists():
            otherwise = f"unpack {ARCHIVE} in a folder that can be written, and name that by data.root=…"
            how = f"unpacked from {packed}"
            download("CIFAR-10", root, FOLDER, lambda *to: _unpack(packed, *to), otherwise, how)
        elif missing and self.download:
            otherwise = f"unpack {ARCHIVE} in {root}, which makes {folder} with {', '.join(names)}"
            download("CIFAR-10", root, FOLDER, lambda *to: _open(*to, train=False, fetch=True), otherwise)
        elif missing:
            raise DataError(
                f"data.root: no {missing[0]} in {folder}; unpack {ARCHIVE} in {root}, name the folder that "
                f"holds {FOLDER} by data.root=…, or set data.download=true"
            )
        return root

    def _read(self, datasets: ModuleType, place: Path) -> Any:
        folder = place / FOLDER
        try:
            for name, _ in _files(datasets):
                _require_small(folder / name)
            return _open(datasets, place, train=self.split == "train", fetch=False)
        except (OSError, RuntimeError) as error:
            what = str(error)
            for name, md5 in [] if isinstance(error, UntrustedFileError) else _files(datasets):
                if not datasets.utils.check_integrity(folder / name, md5):
                    what = f"{name} is missing or not the original (its md5 differs)"
                    break
            raise DataError(
                f"data.root: {folder}: {what}; remove that folder and unpack {ARCHIVE} again"
            ) from error


def _unpack(packed: Path, datasets: ModuleType, place: str) -> None:
    """Unpack the original archive, and no other: its md5 is compared before anything of it is read."""
    _require_small(packed)
    if not datasets.utils.check_integrity(str(packed), datasets.CIFAR10.tgz_md5):
        raise ValueError("its md5 is not that of the original; fetch it again")
    wanted = {f"{FOLDER}/{name}" for name, _ in _files(datasets)}
    with tarfile.open(packed) as archive:
        members = [member for member in archive.getmembers() if member.name in wanted]
        archive.extractall(place, members, filter="data")


def _require_small(path: Path) -> None:
    if path.exists() and (size := regular_size(path)) > MOST_BYTES:
        raise UntrustedFileError(path, f"{path.name} has {size:,} bytes, and is not the original")


def _open(datasets: ModuleType, place: Path | str, *, train: bool, fetch: bool) -> Any:
    with warnings.catch_warnings():
        # The first releases of numpy 2.4 deprecate how the pickles of 2009 name their types.
        warnings.simplefilter("ignore", np.exceptions.VisibleDeprecationWarning)
        return datasets.CIFAR10(place, train=train, download=fetch)


def _files(datasets: ModuleType) -> list[tuple[str, str]]:
    """Return the names of CIFAR-10's files and their md5."""
    known = datasets.CIFAR10
    return [*map(tuple, known.train_list + known.test_list), (known.meta["filename"], known.meta["md5"])]
