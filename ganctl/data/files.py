"""Which pictures lie in a folder or a zip file, and how their bytes are read. Needs no torch."""

import io
import os
import stat
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganctl.data.decode import BadPictureError, size_of
from ganctl.errors import DataError, nearest

ENDINGS = frozenset(
    [
        "bmp",
        "gif",
        "jfif",
        "jpeg",
        "jpg",
        "jp2",
        "pbm",
        "pgm",
        "png",
        "pnm",
        "ppm",
        "tga",
        "tif",
        "tiff",
        "webp",
        "avif",
    ]
)
MAX_FILE_BYTES = 1 << 30
SAMPLED_SIZES = 200


class PictureFile(NamedTuple):
    """A picture not yet read.

    `name` is its path for people, `relative` its path in the data set, `folder` the folder that directly holds
    it, `size` its bytes, unpacked. It lies in the file `place`, or there as `member` of an archive. `changed`
    tells versions of that file apart: the times of its last changes in ns (of an archive, the time and its
    size). Picture files can be sent to other processes.
    """

    name: str
    relative: str
    folder: str
    size: int
    place: str
    member: zipfile.ZipInfo | None = None
    changed: tuple[int, ...] = ()


def find(path: str, subfolder: str | None) -> list[PictureFile]:
    """Return the pictures below a folder or in a zip file, sorted by name.

    Raises `DataError` if there are none or the place cannot be read.
    """
    place = Path(os.path.expanduser(path))
    try:
        if place.is_dir():
            files = _in_folder(place, subfolder)
        elif place.exists():
            if not place.is_file():
                raise DataError(f"data.path: {path} is neither a folder nor a zip file")
            with place.open("rb") as content:
                if not zipfile.is_zipfile(content):
                    raise DataError(f"data.path: {path} is neither a folder nor a zip file")
            files = _in_zip(place, subfolder)
        else:
            siblings = [entry.name for entry in place.parent.iterdir()] if place.parent.is_dir() else []
            raise DataError(f"data.path: {path} does not exist{nearest(place.name, siblings)}")
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DataError(f"data.path: {path} cannot be read ({error})") from error
    where = f"{path}, subfolder {subfolder}," if subfolder else path
    if not files:
        raise DataError(f"data.path: {where} holds no pictures (files that end in {', '.join(sorted(ENDINGS))})")
    return sorted(files, key=lambda file: file.name)


def read(file: PictureFile) -> io.BytesIO:
    """Return the bytes of a picture.

    Raises `BadPictureError` if they cannot be read or are more than `MAX_FILE_BYTES`.
    """
    if file.size > MAX_FILE_BYTES:
        raise BadPictureError(f"{file.size:,} bytes{' unpacked' if file.member else ''}")
    try:
        if file.member is not None:
            return io.BytesIO(_opened(file.place, file.changed).read(file.member))
        return io.BytesIO(Path(file.place).read_bytes())
    except Exception as error:  # damaged zip members raise the errors of zipfile, zlib, bz2 and lzma
        raise BadPictureError(str(error) or type(error).__name__) from error


def common_side(files: list[PictureFile]) -> int:
    """Return 64 pixels, or 32 where most of a sample of the pictures are smaller than 64."""
    sample = files[:: max(1, len(files) // SAMPLED_SIZES)]
    sides = []
    for file in sample:
        try:
            sides.append(min(size_of(read(file))))
        except BadPictureError:
            continue
    return 32 if sides and float(np.median(sides)) < 64 else 64


class _Archive(zipfile.ZipFile):
    """An archive whose members are named by the entries of its table of contents, which is not read again."""

    def _RealGetContents(self) -> None:  # noqa: N802  # where Python names this hook otherwise, reading is slower
        self.start_dir = 0


@lru_cache(maxsize=1)
def _opened(place: str, changed: tuple[int, ...]) -> zipfile.ZipFile:
    return _Archive(place)


def _parts(path: str) -> list[str]:
    """Return the names a path is made of; plain text, because a set may have a million of them."""
    return [part for part in path.split("/") if part not in ("", ".")]


def _is_picture(parts: list[str]) -> bool:
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    stem, _, ending = parts[-1].rpartition(".")
    return not hidden and bool(stem) and ending.lower() in ENDINGS


def _in_folder(root: Path, subfolder: str | None) -> list[PictureFile]:
    start = root / subfolder if subfolder else root
    below = _parts(subfolder or "")
    files = []
    for inside, path, status in _walk(start):
        parts = _parts(inside)
        if _is_picture(parts):
            files.append(
                PictureFile(
                    name=path,
                    relative=inside,
                    folder=[*below, *parts][-2] if len(below) + len(parts) > 1 else "",
                    size=status.st_size,
                    place=path,
                    changed=(status.st_mtime_ns, status.st_ctime_ns),
                )
            )
    return files


def _walk(root: Path) -> Iterator[tuple[str, str, os.stat_result]]:
    """Yield the files below root through symbolic links, entering each real folder once, and broken links.

    Of each, its path inside root, its path, and its status. What would block a reader, such as a pipe, is passed
    over, also where a link leads to it.
    """

    def refuse(error: OSError) -> None:
        raise error

    entered: set[tuple[int, int]] = set()
    for folder, inside, names in os.walk(root, followlinks=True, onerror=refuse):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in entered:
            inside.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        inside.sort()
        below = Path(folder).relative_to(root).as_posix()
        for name in names:
            path = str(Path(folder) / name) if folder == "." else os.path.join(folder, name)
            place = name if below == "." else f"{below}/{name}"
            try:
                status = os.stat(path)
            except OSError:
                yield place, path, os.lstat(path)
                continue
            if stat.S_ISREG(status.st_mode):
                yield place, path, status


def _in_zip(place: Path, subfolder: str | None) -> list[PictureFile]:
    with zipfile.ZipFile(place) as archive:
        members = [(info, _parts(info.filename)) for info in archive.infolist() if not info.is_dir()]
    below = _parts(subfolder or "")
    status = os.stat(place)
    return [
        PictureFile(
            name=f"{place}/{info.filename}",
            relative=info.filename,
            folder=parts[-2] if len(parts) > 1 else "",
            size=info.file_size,
            place=str(place),
            member=info,
            changed=(status.st_mtime_ns, status.st_size),
        )
        for info, parts in members
        if parts[: len(below)] == below and len(parts) > len(below) and _is_picture(parts[len(below) :])
    ]
