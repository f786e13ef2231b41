"""Decoded pictures on disk: written once, found again by what the pictures hold, shared by every run.

An entry is a folder `<listing>-<content>` with `samples.npy` (uint8 [count, side, side, channels]), `labels.npy`
(int64 [count], where there are classes) and `about.json`. `listing` is a digest of the settings and of the
pictures' names and sizes; `content` one of their bytes (in a zip file, of the checksums in its table of contents).
An entry is written under another name and renamed when it is whole. A stamp remembers which content was found
under which names, sizes and times, so that unchanged files are not read again.
"""

import contextlib
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from filelock import FileLock, Timeout

from ganctl import __version__
from ganctl.data import decode
from ganctl.data.decode import Decoding
from ganctl.data.files import PictureFile, common_side
from ganctl.data.mapped import MappedPixels, MappedStore
from ganctl.data.parallel import Outcome, Task, hash_all
from ganctl.data.rows import compact, reserve
from ganctl.data.store import Store
from ganctl.data.whole import Notes, Whole, decode_set, with_frames
from ganctl.errors import ConfigError
from ganctl.runtime.bounded import UntrustedFileError, read_bytes, read_text
from ganctl.runtime.console import say
from ganctl.runtime.disk import sync

FORMAT = 1
DAMAGES = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    OverflowError,
    RecursionError,
    FileNotFoundError,
    UntrustedFileError,
)
"""What reading a damaged entry raises."""

ABOUT_BYTES = 64 << 20
"""What is read of an about.json at most: room for a million classes."""

STAMP_BYTES = 1000
KEPT_REASONS = 1000
SETTLED_SECONDS = 2.0
"""Files that changed less than so long ago may change again without a new time, and get no stamp."""


@dataclass(frozen=True)
class Failure:
    """A picture that does not decode: its path in the data set, and why."""

    relative: str
    reason: str


@dataclass(frozen=True)
class Prepared:
    """What decoding a data set gave: a store, if any picture decoded, and which pictures did not.

    Of `failures` the first are listed, `skipped` counts all. `folder` is where the entry lies, None in memory;
    `fresh` says that it has been written just now. `total` counts the pictures, `notes` are to be said of them.
    """

    store: Store | None
    skipped: int
    failures: list[Failure]
    folder: Path | None = None
    fresh: bool = False
    total: int = 0
    notes: Notes = ()


@dataclass(frozen=True)
class Pictures:
    """Which pictures are to be decoded, and how. `source` is their place, for people, `found` the time in s."""

    source: str
    subfolder: str | None
    files: list[PictureFile]
    decoding: Decoding
    found: float = field(default_factory=time.time)

    @cached_property
    def listing(self) -> str:
        """A digest of the settings, of names and sizes, and of classes that are not folders."""
        names = [(file.relative, file.size) for file in self.files]
        labels = [file.label for file in self.files]
        where = "" if self.subfolder is None else os.path.normpath(self.subfolder)
        told = [labels] if any(labels) else []  # classes that are folders are told by the names
        return _digest(FORMAT, decode.VERSION, self.decoding.settings(), where, names, *told)

    def stamp(self) -> str:
        """Return a digest of the listing, the place, and the times at which each file last changed."""
        parted = [(os.path.split(file.place), file.changed) for file in self.files]
        real = {folder: os.path.realpath(folder) for folder in {folder for (folder, _), _ in parted}}
        return _digest(self.listing, [(real[folder], name, changed) for (folder, name), changed in parted])

    def content(self) -> str | None:
        """Return the digest of the pictures' content where it is known without reading them: in a zip file."""
        checksums = [file.member.CRC for file in self.files if file.member is not None]
        return _digest(checksums) if checksums else None

    def each(self, workers: int | None) -> list[PictureFile]:
        """Return what is decoded one by one: the files, or every frame of each."""
        return self.files if self.decoding.frames == "first" else with_frames(self.files, workers, self.source)

    def decoded(self, files: list[PictureFile], task: Task, rows: np.ndarray | None, workers: int | None) -> Whole:
        """Decode what `each` returned.

        Raises `DataError` if a process dies, or if it is not clear which values are black and white.
        """
        whole = decode_set(files, task, rows, workers, "decoding", self.source)
        if whole.doubt is not None:
            raise whole.doubt
        return whole

    def settled(self) -> bool:
        """Return whether the files had not changed for a while when they were found."""
        newest = max((max(file.changed, default=0) for file in self.files), default=0)
        return self.found - newest / 1e9 > SETTLED_SECONDS


class Cache:
    """The folder that holds the entries.

    Every method raises `OSError` where the folder cannot be read or written, or the disk is full.
    """

    def __init__(self, root: str) -> None:
        self.root = cache_folder(root) / "pictures"

    def find(self, pictures: Pictures) -> Prepared | None:
        """Return the entry of these pictures if it can be found without reading them."""
        listing = pictures.listing
        content = pictures.content() or self._stamped(pictures)
        return self._open(pictures, listing, content) if content else None

    def prepare(self, pictures: Pictures, workers: int | None) -> Prepared:
        """Return the entry of these pictures; if there is none, or its bytes have changed, decode them into one.

        Where nothing decodes, no entry is written and there is no store. Raises `DataError` if a decoding
        process dies.
        """
        if (found := self.find(pictures)) is not None and _intact(found):
            return found
        self.root.mkdir(parents=True, exist_ok=True)
        listing = pictures.listing
        with self._locked(listing):
            self._sweep(listing)
            if (found := self._unless_damaged(self.find(pictures))) is not None:
                return found
            if pictures.content() is None and any(self.root.glob(f"{listing}-*")):
                digests = hash_all(pictures.files, workers, f"reading {pictures.source}")
                content = _digest(digests)
                if (found := self._unless_damaged(self._open(pictures, listing, content))) is not None:
                    self._write_stamp(pictures, content, whole=all(digests))
                    return found
            return self._build(pictures, listing, workers)

    def _unless_damaged(self, found: Prepared | None) -> Prepared | None:
        """Return an entry whose lock is held if it holds the bytes that were written, else remove it."""
        if found is None or found.folder is None or _intact(found):
            return found
        say(f"data.cache: {found.folder} is damaged (its content does not match its sha256)")
        shutil.rmtree(found.folder)
        return None

    def _build(self, pictures: Pictures, listing: str, workers: int | None) -> Prepared:
        files, decoding = pictures.each(workers), pictures.decoding
        side = decoding.side or common_side(pictures.files)
        known = pictures.content()
        temporary = self.root / f".{listing}.tmp"
        temporary.mkdir()
        try:
            path = temporary / "samples.npy"
            rows = reserve(path, (len(files), side, side, decoding.channels))
            task = Task(side, decoding, str(path), hashed=known is None)
            whole = pictures.decoded(files, task, rows, workers)
            outcomes = whole.outcomes
            bad = [position for position, outcome in enumerate(outcomes) if outcome.reason]
            failures = failures_of(files, outcomes)
            if len(bad) == len(files):
                return Prepared(None, len(bad), failures, total=len(files))
            digests = [outcome.digest for file, outcome in zip(files, outcomes, strict=True) if file.frame == 0]
            content = known or _digest(digests)
            compact(path, rows, bad)
            del rows
            labels, classes = labels_of(files, outcomes)
            if labels is not None:
                np.save(temporary / "labels.npy", labels.numpy())
            about = {
                "format": FORMAT,
                "source": pictures.source,
                "changed": files[0].changed if known else (),
                "subfolder": pictures.subfolder,
                "settings": decoding.settings(),
                "notes": whole.notes,
                "shape": [len(files) - len(bad), side, side, decoding.channels],
                "classes": classes,
                "fingerprint": Store(MappedPixels(path).tensor(), labels).fingerprint,
                "skipped": len(bad),
                "failures": [asdict(failure) for failure in failures],
                "versions": {"ganctl": __version__, "decoding": decode.VERSION, "pillow": PIL.__version__},
            }
            (temporary / "about.json").write_text(json.dumps(about, indent=1) + "\n")
            final = self.root / f"{listing}-{content}"
            _publish(temporary, final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if known is None:
            self._write_stamp(pictures, content, whole=all(digests))
        entry = self._open(pictures, listing, content)
        assert entry is not None
        return replace(entry, fresh=True)

    def _open(self, pictures: Pictures, listing: str, content: str) -> Prepared | None:
        folder = self.root / f"{listing}-{content}"
        if not folder.is_dir():
            return None
        try:
            about = json.loads(read_text(folder / "about.json", ABOUT_BYTES))
            if about["skipped"] and pictures.content() and about["changed"] != list(pictures.files[0].changed):
                return None  # a damaged archive, put right, has the same table of contents
            return _read(folder, about)
        except DAMAGES:
            return None

    def _stamp_path(self, pictures: Pictures) -> Path:
        return self.root / ".stamps" / pictures.stamp()

    def _stamped(self, pictures: Pictures) -> str | None:
        try:
            return read_text(self._stamp_path(pictures), STAMP_BYTES).strip()
        except (OSError, ValueError):
            return None

    def _write_stamp(self, pictures: Pictures, content: str, *, whole: bool) -> None:
        """Remember the content, unless a file could not be read, whose reason may go without a trace."""
        if not whole or not pictures.settled():
            return
        path = self._stamp_path(pictures)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        path.parent.mkdir(exist_ok=True)
        temporary.write_text(content)
        temporary.replace(path)

    @contextlib.contextmanager
    def _locked(self, listing: str) -> Iterator[None]:
        """Hold the lock of a listing; the system frees it if this process dies."""
        lock = FileLock(self.root / f".{listing}.lock")
        try:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                say("waiting for another process that is preparing the same pictures")
                lock.acquire()
        except NotImplementedError as error:
            raise OSError(None, f"its file system has no locks: {error}") from error
        try:
            yield
        finally:
            lock.release()

    def _sweep(self, listing: str) -> None:
        """Remove damaged entries of a listing whose lock is held, and what killed processes left half written."""
        for folder in self.root.glob(f"{listing}-*"):
            try:
                _read(folder, json.loads(read_text(folder / "about.json", ABOUT_BYTES)))
            except DAMAGES as error:
                say(f"data.cache: {folder} is damaged ({error}); the pictures are decoded again")
                shutil.rmtree(folder)
        for leftover in self.root.glob(".*.tmp"):
            owner = leftover.name[1:].removesuffix(".tmp")
            with contextlib.suppress(OSError, Timeout, NotImplementedError):
                if owner == listing:
                    shutil.rmtree(leftover)
                    continue
                with FileLock(self.root / f".{owner}.lock", timeout=0):
                    shutil.rmtree(leftover)


def failures_of(files: list[PictureFile], outcomes: list[Outcome]) -> list[Failure]:
    """Return the first of the pictures that do not decode."""
    failures = (
        Failure(file.relative, outcome.reason)
        for file, outcome in zip(files, outcomes, strict=True)
        if outcome.reason
    )
    return [failure for failure, _ in zip(failures, range(KEPT_REASONS), strict=False)]


def labels_of(files: list[PictureFile], outcomes: list[Outcome]) -> tuple[torch.Tensor | None, tuple[str, ...]]:
    """Return labels, int64 [count], and class names of the pictures that decode; none of a single class."""
    labels = [file.belongs_to for file, outcome in zip(files, outcomes, strict=True) if not outcome.reason]
    classes = sorted(set(labels))
    if len(classes) < 2:
        return None, ()
    numbers = {label: number for number, label in enumerate(classes)}
    return torch.tensor([numbers[label] for label in labels]), tuple(name for _, name in classes)


def cache_folder(cache: str) -> Path:
    """Return the folder that `data.cache` names; auto is the system's for what can be made again."""
    if cache == "auto":
        return Path(os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")) / "ganctl"
    return Path(os.path.expanduser(cache))


def unusable(cache: str, error: OSError) -> ConfigError:
    """Return the error of a cache that cannot be used, in one line."""
    return ConfigError(f"data.cache: {cache_folder(cache)} cannot be used ({error.strerror or error})")


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _publish(temporary: Path, final: Path) -> None:
    """Make an entry durable and give it its name, in place of one that is damaged."""
    for path in (*temporary.iterdir(), temporary):
        sync(path)
    if final.exists():
        shutil.rmtree(final)
    temporary.replace(final)
    sync(final.parent)


def _intact(prepared: Prepared) -> bool:
    return not isinstance(prepared.store, MappedStore) or prepared.store.intact()


def _read_labels(path: Path, count: int) -> torch.Tensor:
    """Return int64 [count] from a .npy file that must hold just that."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (count,)})
    start = header.getvalue()
    content = read_bytes(path, len(start) + 8 * count)
    if not content.startswith(start) or len(content) != len(start) + 8 * count:
        raise ValueError(f"labels.npy does not hold {count:,} labels")
    return torch.from_numpy(np.frombuffer(bytearray(content), "<i8", offset=len(start)))


def _read(folder: Path, about: dict[str, Any]) -> Prepared:
    pixels = MappedPixels(folder / "samples.npy")
    classes = tuple(str(name) for name in about["classes"])
    labels = None
    if classes:
        labels = _read_labels(folder / "labels.npy", len(pixels.array))
    if list(pixels.array.shape) != about["shape"] or about["format"] != FORMAT:
        raise ValueError(f"about.json tells of {about['shape']} in format {about['format']}")
    failures = [Failure(**failure) for failure in about["failures"]]
    store = MappedStore(
        samples=pixels.tensor(),
        labels=labels,
        classes=classes,
        skipped=int(about["skipped"]),
        pixels=pixels,
        sha256=str(about["fingerprint"]),
    )
    notes = tuple((str(label), str(text)) for label, text in about["notes"])
    return Prepared(store, store.skipped, failures, folder, total=len(store) + store.skipped, notes=notes)
