"""Which images a folder or a zip file holds, and how their bytes are read. Needs no torch."""

import io
import os
import stat
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganctl.data.decoding import layout
from ganctl.data.decoding.decode import BadImageError, heif_is_read, size_of
from ganctl.data.decoding.formats import ENDINGS, HEIF_ADVICE, HEIF_ENDINGS
from ganctl.data.decoding.label_tables import JSON, TABLES, Label, Labels, labels_of
from ganctl.errors import DataError, counted, nearest
from ganctl.runtime.bounded import opened, read_bytes

MAX_FILE_BYTES = 1 << 30
MAX_LABELS_BYTES = 1 << 28
MAX_INDEX_BYTES = 1 << 30
"""Of a zip file's table of contents, and of any other part that is read at once to find it."""

SAMPLED_SIZES = 200
LISTED_ENDINGS = 5
LONGEST_ENDING = 8
SILENT = frozenset(("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r"))
"""What systems leave behind, besides hidden files; it is not reported."""

STEPS = {zipfile.ZIP_BZIP2: 64, zipfile.ZIP_LZMA: 1024}
"""Bytes that are read at once where zipfile unpacks all that it has read, however much it becomes."""


class ImageFile(NamedTuple):
    """An image not yet read.

    `name` is its path for people, `relative` its path in the data set, `folder` the folder that directly holds
    it, `size` its bytes, unpacked. It is the file `place`, or a `member` of that archive. `changed` tells versions
    of that file apart: the times of its last changes in ns (of an archive, the time and its size). `label` is its
    class where that is not its folder, `frame` which of its frames is meant.
    """

    name: str
    relative: str
    folder: str
    size: int
    place: str
    member: zipfile.ZipInfo | None = None
    changed: tuple[int, ...] = ()
    label: Label | None = None
    frame: int = 0

    @property
    def belongs_to(self) -> Label:
        """Its class: its place among the others, where names do not say it, and its name."""
        return self.label or (0, self.folder)


@dataclass(frozen=True)
class FoundImages:
    """What a folder or a zip file holds.

    `files` are the images, sorted by name. `passed` counts other files by their endings, but for `SILENT` ones,
    `runs` the folders that are runs of ganctl, which are left out. `remarks` say what folders were taken for,
    `without_labels` why images that are of one class have no labels.
    """

    files: list[ImageFile]
    passed: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    remarks: list[str] = field(default_factory=list)
    without_labels: str = ""

    @cached_property
    def passed_over(self) -> str:
        """Endings and counts of files that are no images by their names, empty if there are none."""
        frequent = sorted(self.passed.items(), key=lambda item: (-item[1], item[0]))[:LISTED_ENDINGS]
        told = [f"{count:,} {ending}" for ending, count in frequent]
        more = len(self.passed) - LISTED_ENDINGS
        advice = f" ({HEIF_ADVICE})" if any(ending[1:] in HEIF_ENDINGS for ending in self.passed) else ""
        return ", ".join(told) + (f", {counted(more, 'more kind')}" if more > 0 else "") + advice

    @property
    def left_out(self) -> str:
        """The runs that were left out, in words, empty if there are none."""
        samples = "its samples" if self.runs == 1 else "their samples"
        return f"{counted(self.runs, 'run')} of ganctl and {samples}" if self.runs else ""


def search(path: str, subfolder: str | None) -> FoundImages:
    """Return what a folder, with those below it, or a zip file holds.

    Raises `DataError` if there are no images or the place cannot be read.
    """
    place = Path(os.path.expanduser(path))
    try:
        if not place.exists():
            raise missing(path)
        found = _sorted_out((_in_folder if place.is_dir() else _in_zip)(path, place, subfolder), subfolder)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DataError(f"data.path: {path} cannot be read ({error})") from error
    if not found.files:
        where = f"{path}, subfolder {subfolder}," if subfolder else path
        holds = f"; it holds {found.passed_over}" if found.passed else ""
        holds += f"; left out: {found.left_out}" if found.runs else ""
        endings = ", ".join(sorted(ENDINGS))
        raise DataError(f"data.path: {where} holds no images (files that end in {endings}){holds}")
    return found


def missing(path: str, key: str = "data.path") -> DataError:
    """Return the error of a place that does not exist, with the name in its folder that is most like it.

    `key` is the one that names the place.
    """
    place = Path(os.path.expanduser(path))
    siblings = [entry.name for entry in place.parent.iterdir()] if place.parent.is_dir() else []
    return DataError(f"{key}: {path} does not exist{nearest(place.name, siblings)}")


def read(file: ImageFile, most: int | None = None) -> io.BytesIO:
    """Return the bytes of an image, or of another file that was found.

    Raises `BadImageError` if they cannot be read or are more than `most`, else `MAX_FILE_BYTES`.
    """
    most = MAX_FILE_BYTES if most is None else most
    if file.size > most:
        raise BadImageError(f"{file.size:,} bytes{' unpacked' if file.member else ''}")
    try:
        if file.member is not None:
            return io.BytesIO(_unpacked(_archive(file.place, file.changed), file.member))
        return io.BytesIO(read_bytes(file.place, most))
    except Exception as error:  # damaged zip members raise the errors of zipfile, zlib, bz2 and lzma
        raise BadImageError(str(error) or type(error).__name__) from error


def common_side(files: list[ImageFile]) -> int:
    """Return 64 pixels, or 32 where most of a sample of the images are smaller than 64."""
    typical = typical_side(files)
    return 32 if typical and typical < 64 else 64


def typical_side(files: list[ImageFile]) -> int | None:
    """Return the median of the shorter sides of a sample of the images, in pixels; None if none can be read."""
    sample = files[:: max(1, len(files) // SAMPLED_SIZES)]
    sides = []
    for file in sample:
        with suppress(BadImageError):
            sides.append(min(size_of(read(file))))
    return int(np.median(sides)) if sides else None


class _Archive(zipfile.ZipFile):
    """An archive whose members are named by the entries of its table of contents, which is not read again."""

    def _RealGetContents(self) -> None:  # noqa: N802  # where Python names this hook otherwise, reading is slower
        self.start_dir = 0


class _Bounded(io.FileIO):
    """A file of which no more than `MAX_INDEX_BYTES` is read at once, whatever it says of itself."""

    def read(self, size: int | None = -1, /) -> bytes:
        left = os.fstat(self.fileno()).st_size - self.tell()
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > MAX_INDEX_BYTES:
            raise zipfile.BadZipFile(f"a table of contents of {wanted:,} bytes")
        return super().read(size) or b""


@lru_cache(maxsize=1)
def _archive(place: str, changed: tuple[int, ...]) -> zipfile.ZipFile:
    return _Archive(place)


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return a member's bytes, of which at most 100 MB more are unpacked than its entry says."""
    step = STEPS.get(member.compress_type, member.file_size)
    with archive.open(member) as packed:
        assert isinstance(packed, zipfile.ZipExtFile)
        packed.MIN_READ_SIZE = min(step, packed.MIN_READ_SIZE)
        return b"".join(iter(lambda: packed.read(step), b"")) if member.file_size else b""


def _parts(path: str) -> list[str]:
    """Return the names a path is made of; plain text, because a set may have a million of them."""
    return [part for part in path.split("/") if part not in ("", ".")]


def _is_silent(parts: list[str]) -> bool:
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return hidden or parts[-1].lower() in SILENT


def _sorted_out(files: Iterable[tuple[list[str], ImageFile]], subfolder: str | None) -> FoundImages:
    """Tell images from other files and from runs, and find their classes.

    With each file comes its path below `subfolder`, as a list of names.
    """
    images: list[tuple[layout.Path, ImageFile]] = []
    others: list[tuple[layout.Path, str]] = []
    markers: defaultdict[layout.Path, set[str]] = defaultdict(set)
    tables: dict[layout.Path, ImageFile] = {}
    shared: dict[layout.Path, layout.Path] = {}
    for parts, file in files:
        folder = tuple(parts[:-1])
        folder = shared.setdefault(folder, folder)
        ending = _ending(parts[-1])
        if ending in ENDINGS or (ending in HEIF_ENDINGS and heif_is_read()):
            images.append((folder, file))
            continue
        if parts[-1] in layout.MARKERS or folder[-1:] == (layout.RUN_CHECKPOINTS,):
            markers[folder].add(parts[-1])
        if parts[-1] in TABLES:
            tables[(*folder, parts[-1])] = file
        usual = ending.isalnum() and len(ending) <= LONGEST_ENDING
        kind = f".{ending}" if usual else "without a usual ending"
        if file.member is None and file.changed == ():
            kind = "not regular (pipe, socket or device)"
        others.append((folder, kind))
    runs = layout.runs_among(markers)
    gone = layout.left_out(runs)
    out = {folder for folder in shared if any(folder[:end] in gone for end in range(1, len(folder) + 1))}
    images = [(folder, file) for folder, file in images if folder not in out]
    passed = Counter(ending for folder, ending in others if folder not in out)
    labelled, remarks, reason = _labelled(images, tuple(_parts(subfolder or "")), tables, passed)
    return FoundImages(sorted(labelled, key=lambda file: file.name), passed, len(runs), remarks, reason)


def _labelled(
    images: list[tuple[layout.Path, ImageFile]],
    above: layout.Path,
    tables: dict[layout.Path, ImageFile],
    passed: Counter[str],
) -> tuple[list[ImageFile], list[str], str]:
    """Return the images with their classes, what is reported of them, and why they have none if they have none.

    `tables` are by their paths.
    """
    folders = {folder for folder, _ in images}
    places = [(*folder, name) for folder in layout.ancestors(folders) for name in TABLES] if folders else []
    for place in places if tables else ():
        if place not in tables:
            continue
        table = tables[place].name
        try:
            labels, remark = labels_of(read(tables[place], MAX_LABELS_BYTES).getvalue(), table)
        except KeyError:
            continue
        except BadImageError as error:
            raise DataError(f"data.path: {table} cannot be read ({error})") from error
        passed -= Counter([f".{_ending(place[-1])}"])
        if labels is None:
            return [file._replace(label=(0, "")) for _, file in images], [remark], remark
        labelled, told = _by_table(images, len(place) - 1, labels, table)
        return labelled, [remark, *told], f"{place[-1]} gives all images one label"

    def stems() -> dict[layout.Path, list[str]]:
        names: defaultdict[layout.Path, list[str]] = defaultdict(list)
        for folder, file in images:
            names[folder].append(file.relative.rpartition("/")[2].rpartition(".")[0])
        return names

    classes, remarks = layout.arranged(folders, above, stems)
    named = [(classes[folder], file) for folder, file in images]
    labelled = [file if name == file.folder else file._replace(label=(0, name)) for name, file in named]
    return labelled, remarks, "no subfolders and no labels.csv name any"


def _by_table(
    images: list[tuple[layout.Path, ImageFile]], depth: int, labels: Labels, table: str
) -> tuple[list[ImageFile], list[str]]:
    """Return the images with a table's labels, and a line on labels of what is no image there."""
    named = [("/".join((*folder[depth:], file.relative.rpartition("/")[2])), file) for folder, file in images]
    names = {name for name, _ in named}
    unnamed, unknown = names - labels.keys(), labels.keys() - names
    if unnamed:
        null = "set labels to null in it, " if table.endswith(JSON) else ""
        instead = f", while it names {min(unknown)}" if unknown else ""
        raise DataError(
            f"data.path: {table} has no label for {len(unnamed):,} of {len(images):,} images, the first is "
            f"{min(unnamed)}{instead}; add them, {null}or move it elsewhere"
        )
    told = (
        f"{table} labels {counted(len(unknown), 'file')} not found there, the first {min(unknown)}"
        if unknown
        else ""
    )
    return [file._replace(label=labels[name]) for name, file in named], [told] if told else []


def _ending(name: str) -> str:
    stem, _, ending = name.rpartition(".")
    return ending.lower() if stem else ""


def _in_folder(path: str, root: Path, subfolder: str | None) -> Iterator[tuple[list[str], ImageFile]]:
    start = root / subfolder if subfolder else root
    if subfolder and not start.is_dir():
        beside = start.parent.iterdir() if start.parent.is_dir() else ()
        raise _no_subfolder(path, subfolder, [entry.name for entry in beside if entry.is_dir()])
    below = _parts(subfolder or "")
    for inside, file, status in _walk(start):
        parts = _parts(inside)
        if _is_silent(parts):
            continue
        regular = stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)
        if not regular:
            parts[-1] += "."  # passed over, whatever its name ends in
        yield (
            parts,
            ImageFile(
                name=file,
                relative=inside,
                folder=[*below, *parts][-2] if len(below) + len(parts) > 1 else "",
                size=status.st_size,
                place=file,
                changed=(status.st_mtime_ns, status.st_ctime_ns) if regular else (),
            ),
        )


def _no_subfolder(path: str, subfolder: str, folders: Iterable[str]) -> DataError:
    above, slash, name = subfolder.strip("/").rpartition("/")
    near = nearest(above + slash + name, [above + slash + folder for folder in folders])
    return DataError(f"data.subfolder: there is no folder {subfolder} in {path}{near}")


def _walk(root: Path) -> Iterator[tuple[str, str, os.stat_result]]:
    """Yield what is below root, through symbolic links, entering each real folder once, and broken links.

    Of each, its path inside root, its path, and its status.
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
                status = os.lstat(path)
            yield place, path, status


def _in_zip(path: str, place: Path, subfolder: str | None) -> Iterator[tuple[list[str], ImageFile]]:
    refusal = DataError(f"data.path: {path} is neither a folder nor a zip file")
    if not place.is_file():
        raise refusal
    with opened(place) as content:
        if not zipfile.is_zipfile(content):
            raise refusal
    with _Bounded(place) as index, zipfile.ZipFile(index) as archive:
        # Some programs on Windows write their own separator, against the format's rules.
        members = [(info, info.filename.replace("\\", "/")) for info in archive.infolist()]
    below = _parts(subfolder or "")
    status = os.stat(place)
    inside = False
    for info, name in members:
        parts = _parts(name)
        if parts[: len(below)] != below:
            continue
        inside = True
        if name.endswith("/") or len(parts) == len(below) or _is_silent(parts[len(below) :]):
            continue
        yield (
            parts[len(below) :],
            ImageFile(
                name=f"{place}/{name}",
                relative=name,
                folder=parts[-2] if len(parts) > 1 else "",
                size=info.file_size,
                place=str(place),
                member=info,
                changed=(status.st_mtime_ns, status.st_size),
            ),
        )
    if below and not inside:
        level = len(below) - 1
        folders = {parts[level] for parts in (_parts(name)[:-1] for _, name in members) if len(parts) > level}
        raise _no_subfolder(path, subfolder or "", folders)
