"""Pictures of any size and mode, from a folder or a zip file, as one array of uint8."""

import io
import os
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from ganctl.data.decode import BadPictureError, Decoding, decode, size_of
from ganctl.data.store import Store
from ganctl.errors import DataError, nearest
from ganctl.runtime.console import say, track

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


@dataclass(frozen=True)
class PictureFile:
    """A picture not yet read: its path for people, the folder that holds it, and how to read it."""

    name: str
    folder: str
    read: Callable[[], bytes]


def load(
    path: str,
    subfolder: str | None,
    decoding: Decoding,
    max_bad_fraction: float,
    workers: int | None,
    files: list[PictureFile] | None = None,
) -> Store:
    """Decode every picture below `path`, a folder or a zip file, or `files` of them, into one store.

    Files are taken in the order of their names; those without a picture's ending and hidden ones are passed
    over. The name of the folder that directly holds a picture is its class, where there are two or more.

    Raises `DataError` if the place is missing, unreadable or without pictures, or if more than
    `max_bad_fraction` of the pictures do not decode.
    """
    files = find(path, subfolder) if files is None else files
    side = decoding.side or _common_side(files)
    samples = np.empty((len(files), side, side, decoding.channels), np.uint8)
    good = np.zeros(len(files), bool)
    first_bad = ""
    pool = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        results = pool.map(lambda file: _decode(file, side, decoding), files)
        for position, picture in enumerate(track(results, len(files), f"decoding {path}")):
            if isinstance(picture, BadPictureError):
                first_bad = first_bad or f"{files[position].name} ({picture})"
            else:
                samples[position], good[position] = picture, True
    finally:
        pool.shutdown(cancel_futures=True)  # else a signal would wait for every picture still to come
    bad = len(files) - int(good.sum())
    if bad > max_bad_fraction * len(files):
        raise DataError(
            f"data.path: {bad:,} of {len(files):,} pictures in {path} do not decode, more than "
            f"data.max_bad_fraction={max_bad_fraction}; the first is {first_bad}"
        )
    if bad == len(files):
        raise DataError(f"data.path: none of {bad:,} pictures in {path} decodes; the first is {first_bad}")
    if bad:
        say(f"skipped {bad:,} of {len(files):,} pictures that do not decode; the first is {first_bad}")
        samples = samples[good]
    folders = [file.folder for file, whole in zip(files, good, strict=True) if whole]
    classes = tuple(sorted(set(folders)))
    labels = torch.tensor([classes.index(folder) for folder in folders]) if len(classes) > 1 else None
    return Store(torch.from_numpy(samples), labels, classes if labels is not None else (), skipped=bad)


def find(path: str, subfolder: str | None) -> list[PictureFile]:
    """Return the pictures below a folder or in a zip file, sorted by name.

    Raises `DataError` if there are none or the place cannot be read.
    """
    place = Path(os.path.expanduser(path))
    try:
        if place.is_dir():
            files = _in_folder(place, subfolder)
        elif place.exists():
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


def _is_picture(path: PurePosixPath) -> bool:
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in path.parts)
    return not hidden and path.suffix.lower().removeprefix(".") in ENDINGS


def _in_folder(root: Path, subfolder: str | None) -> list[PictureFile]:
    start = root / subfolder if subfolder else root
    below = PurePosixPath(subfolder or "")
    return [
        PictureFile(str(path), (below / inner).parent.name, path.read_bytes)
        for path in _walk(start)
        if _is_picture(inner := PurePosixPath(path.relative_to(start).as_posix()))
    ]


def _walk(root: Path) -> Iterator[Path]:
    """Yield the files below root through symbolic links, entering each real folder once."""

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
        yield from (path for name in names if (path := Path(folder, name)).is_file() or path.is_symlink())


def _in_zip(place: Path, subfolder: str | None) -> list[PictureFile]:
    archive = zipfile.ZipFile(place)
    below = PurePosixPath(subfolder or "")

    def reader(info: zipfile.ZipInfo) -> Callable[[], bytes]:
        def read() -> bytes:
            if info.file_size > MAX_FILE_BYTES:
                raise BadPictureError(f"{info.file_size:,} bytes unpacked")
            return archive.read(info)

        return read

    members = [
        (info, PurePosixPath(info.filename.lstrip("/"))) for info in archive.infolist() if not info.is_dir()
    ]
    return [
        PictureFile(f"{place}/{info.filename}", path.parent.name, reader(info))
        for info, path in members
        if path.is_relative_to(below) and _is_picture(path.relative_to(below))
    ]


def _read(file: PictureFile) -> io.BytesIO:
    try:
        return io.BytesIO(file.read())
    except Exception as error:  # damaged zip members raise the errors of zipfile, zlib, bz2 and lzma
        raise BadPictureError(str(error) or type(error).__name__) from error


def _decode(file: PictureFile, side: int, decoding: Decoding) -> np.ndarray | BadPictureError:
    try:
        return decode(_read(file), side, decoding)
    except BadPictureError as error:
        return error


def _common_side(files: list[PictureFile]) -> int:
    """Return 64 pixels, or 32 where most of a sample of the pictures are smaller than 64."""
    sample = files[:: max(1, len(files) // SAMPLED_SIZES)]
    sides = []
    for file in sample:
        try:
            sides.append(min(size_of(_read(file))))
        except BadPictureError:
            continue
    return 32 if sides and float(np.median(sides)) < 64 else 64
