"""Faces."""

import os
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import ModuleType
from typing import Annotated, Literal

from pydantic import Field

from ganctl.data.decoding.decode import Decoding
from ganctl.data.decoding.files import ImageFile, search
from ganctl.data.source import SOURCES, Resolution, Source, Workers
from ganctl.data.sources import image_folder as folder
from ganctl.data.sources.download import download
from ganctl.data.store import Store
from ganctl.errors import DataError
from ganctl.runtime.console import say

NAME = "img_align_celeba"
FOLDERS = ("celeba", "", "Img", "CelebA/Img", "celeba/Img", "CelebA")
"""Folders below `root` that may hold the images: torchvision's, or those of the authors' page."""

SPLITS = {
    "train": range(1, 162_771),
    "valid": range(162_771, 182_638),
    "test": range(182_638, 202_600),
    "all": range(1, 202_600),
}
"""The numbers of the files in each part, as the authors' list_eval_partition.txt has them."""


@SOURCES.register
class Celeba(Source):
    """CelebA (Liu et al. 2015): 202,599 faces of 178×218 pixels, aligned by their eyes."""

    placement = frozenset({"root", "download", "workers", "cache"})
    name: Literal["celeba"]
    root: str
    split: Literal["train", "valid", "test", "all"]
    download: bool
    resolution: Resolution
    fit: Literal["crop", "squash", "pad"]
    max_bad_fraction: Annotated[float, Field(ge=0, le=1)]
    workers: Workers | None
    cache: str | None

    def load(self) -> Store:
        """Return the faces of the split, in the order of their numbers; missing ones are reported."""
        place = str(self._place())
        decoding = Decoding(self.resolution, channels=3, fit=self.fit)
        try:
            files = self._of_split(place, search(place, None).files)
            keys = self.max_bad_fraction, self.workers, self.cache
            store = folder.load(place, None, decoding, *keys, files)
        except DataError as error:
            raise DataError(str(error).replace("data.path:", "data.root:", 1)) from error
        return replace(store, without_labels="an image of CelebA has many attributes, and no one class")

    def _place(self) -> Path:
        """Return the folder or zip file of the images, downloaded if need be."""
        root = Path(os.path.expanduser(self.root))
        if root.is_file():
            return root
        for place in (root / below / name for below in FOLDERS for name in (NAME, f"{NAME}.zip")):
            if place.exists():
                return place
        if any(root.glob("[0-9]*.jpg")):
            return root
        archive = root / "celeba" / f"{NAME}.zip"
        if not self.download:
            raise DataError(
                f"data.root: no CelebA in {root}; put {NAME}.zip (or unpacked, the folder {NAME}) into "
                f"{archive.parent}, name its place by data.root=…, or set data.download=true"
            )
        otherwise = (
            f"Google Drive often refuses; put {NAME}.zip, from the Align&Cropped Images of "
            f"https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, into {archive.parent}"
        )
        download("CelebA", root, "celeba", _fetch, otherwise)
        return archive

    def _of_split(self, place: str, files: list[ImageFile]) -> list[ImageFile]:
        numbers = SPLITS[self.split]
        chosen = [file for file in files if _number(file) in numbers]
        if not chosen:
            raise DataError(
                f"data.root: {place} holds no image of data.split={self.split}, which are "
                f"{numbers[0]:06d}.jpg to {numbers[-1]:06d}.jpg"
            )
        if len(chosen) < len(numbers):
            say(f"{place} holds only {len(chosen):,} of the {len(numbers):,} images of data.split={self.split}")
        return chosen


def _number(file: ImageFile) -> int:
    """Return the number that is a file's name, or 0."""
    stem = PurePosixPath(file.name).stem
    return int(stem) if len(stem) == 6 and stem.isascii() and stem.isdigit() else 0


def _fetch(datasets: ModuleType, place: str) -> None:
    """Fetch the zip file of the images alone: its md5 is verified, and it is read without unpacking."""
    number, md5, name = next(entry for entry in datasets.CelebA.file_list if entry[2] == f"{NAME}.zip")
    datasets.utils.download_file_from_google_drive(number, str(Path(place) / "celeba"), name, md5)
