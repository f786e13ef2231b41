"""Decoded images on disk: written once, found again by their content, shared by all runs.

An entry is a folder `<listing>-<content>` of `samples.npy` (uint8 [count, side, side, channels]), `labels.npy`
(int64 [count], where there are classes) and `about.json`. `listing` is a digest of the settings and of the images'
names and sizes; `content` is a digest of their bytes (in a zip file, of the checksums in its table of contents).
An entry is written under another name and renamed when it is complete.

A stamp is a small file that maps names, sizes and times of files to the content that was found in them. While they
match, the images are not read again.
"""

import errno
import io
import json
import os
import shutil
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import PIL
import torch
from filelock import FileLock, Timeout

from ganctl.data.cache.image_set import ENTRY_FORMAT, Failure, ImageSet, Prepared, digest_of
from ganctl.data.decoding import decode
from ganctl.data.decoding.parallel import DecodeTask, hash_all
from ganctl.data.store import MappedPixels, MappedStore, Store
from ganctl.errors import ConfigError
from ganctl.runtime.bounded import UntrustedFileError, read_bytes, read_text
from ganctl.runtime.console import say
from ganctl.runtime.disk import sync, write_whole
from ganctl.runtime.version import __version__

DAMAGES = (
    *(ValueError, KeyError, TypeError, AttributeError, EOFError, OverflowError, RecursionError),
    *(FileNotFoundError, NotADirectoryError, UntrustedFileError),
)
"""What reading a damaged entry raises."""

ABOUT_BYTES = 64 << 20
"""What is read of an about.json at most: room for a million classes."""

STAMP_BYTES = 1000


class Cache:
    """The folder that holds the entries.

    Every method raises `OSError` where the folder cannot be read or written, or the disk is full.
    """

    def __init__(self, root: str) -> None:
        self.root = cache_folder(root) / "pictures"

    def find(self, images: ImageSet) -> Prepared | None:
        """Return the entry of these images if it can be found without reading them, or all of it."""
        with suppress(*DAMAGES):
            return self._read(images, self._content(images))
        return None

    def prepare(self, images: ImageSet, workers: int | None) -> Prepared:
        """Return the entry of these images; if there is none, or its bytes have changed, decode them into one.

        Where nothing decodes, no entry is written and there is no store. Raises `DataError` if a decoding
        process dies.
        """
        if (found := self._intact(images, self._content(images))) is not None:
            return found
        self.root.mkdir(parents=True, exist_ok=True)
        with self._lock(images.listing):
            self._sweep(images.listing)
            if (found := self._intact(images, self._content(images), locked=True)) is not None:
                return found
            if images.content() is None and any(self.root.glob(f"{images.listing}-*")):
                digests = hash_all(images.files, workers, f"reading {images.source}")
                content = digest_of(digests)
                if (found := self._intact(images, content, locked=True)) is not None:
                    self._write_stamp(images, content, whole=all(digests))
                    return found
            return self._build(images, workers)

    def _content(self, images: ImageSet) -> str:
        """Return the digest of the images' content if it is known without reading them, else ""."""
        if (content := images.content()) is not None:
            return content
        with suppress(OSError, ValueError):
            return read_text(self._stamp(images), STAMP_BYTES).strip()
        return ""

    def _intact(self, images: ImageSet, content: str, *, locked: bool = False) -> Prepared | None:
        """Return an entry that holds the bytes that were written; another is removed if its lock is held."""
        folder = self._folder(images, content)
        try:
            found = self._read(images, content)
            if found is None or (isinstance(found.store, MappedStore) and found.store.intact()):
                return found
            raise ValueError("its content does not match its sha256")
        except DAMAGES as error:
            if locked and folder in self.root.glob(f"{images.listing}-*"):
                say(f"data.cache: {folder} is damaged ({error}); the images are decoded again")
                shutil.rmtree(folder)
        return None

    def _build(self, images: ImageSet, workers: int | None) -> Prepared:
        files, side, channels = images.each(workers), images.side, images.decoding.channels
        known = images.content()
        temporary = self.root / f".{images.listing}.tmp"
        temporary.mkdir()
        try:
            path = temporary / "samples.npy"
            rows = _reserve(path, (len(files), side, side, channels))
            task = DecodeTask(side, images.decoding, str(path), hashed=known is None)
            whole = images.decoded(files, task, rows, workers)
            prepared = whole.prepared()
            if prepared.skipped == prepared.total:
                return prepared
            digests = [each.digest for file, each in zip(files, whole.outcomes, strict=True) if not file.frame]
            content = known or digest_of(digests)
            _compact(path, rows, whole.bad)
            del rows
            labels, classes = whole.labels()
            if labels is not None:
                np.save(temporary / "labels.npy", labels.numpy())
            store = Store(MappedPixels(path).tensor(), labels)
            about = {
                "format": ENTRY_FORMAT,
                "source": images.source,
                "changed": files[0].changed if known else (),
                "subfolder": images.subfolder,
                "settings": images.decoding.settings(),
                "notes": prepared.notes,
                "shape": list(store.samples.shape),
                "classes": classes,
                "fingerprint": store.fingerprint,
                "skipped": prepared.skipped,
                "failures": [asdict(failure) for failure in prepared.failures],
                "versions": {"ganctl": __version__, "decoding": decode.VERSION, "pillow": PIL.__version__},
            }
            (temporary / "about.json").write_text(json.dumps(about, indent=1) + "\n")
            _publish(temporary, self._folder(images, content))
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        if known is None:
            self._write_stamp(images, content, whole=all(digests))
        entry = self._read(images, content)
        assert entry is not None
        return replace(entry, fresh=True)

    def _folder(self, images: ImageSet, content: str) -> Path:
        return self.root / f"{images.listing}-{content}"

    def _read(self, images: ImageSet, content: str) -> Prepared | None:
        """Return an entry, whose samples and labels are not verified; raises one of `DAMAGES` if it is damaged."""
        folder = self._folder(images, content)
        about = json.loads(read_text(folder / "about.json", ABOUT_BYTES))
        if about["skipped"] and images.content() and about["changed"] != list(images.files[0].changed):
            return None  # a damaged archive, put right, has the same table of contents
        pixels = MappedPixels(folder / "samples.npy")
        classes = tuple(str(name) for name in about["classes"])
        labels = _read_labels(folder / "labels.npy", len(pixels.array)) if classes else None
        if labels is not None and int(labels.max()) + 1 != len(classes):
            raise ValueError(f"labels.npy and about.json, of {len(classes):,} classes, do not belong together")
        if list(pixels.array.shape) != about["shape"] or about["format"] != ENTRY_FORMAT:
            raise ValueError(f"about.json tells of {about['shape']} in format {about['format']}")
        failures = [Failure(**failure) for failure in about["failures"]]
        skipped, sha256 = int(about["skipped"]), str(about["fingerprint"])
        store = MappedStore(pixels.tensor(), labels, classes, skipped, pixels=pixels, sha256=sha256)
        notes = tuple((str(label), str(text)) for label, text in about["notes"])
        return Prepared(store, skipped, failures, len(store) + skipped, notes, folder)

    def _stamp(self, images: ImageSet) -> Path:
        return self.root / ".stamps" / images.stamp()

    def _write_stamp(self, images: ImageSet, content: str, *, whole: bool) -> None:
        """Remember the content, unless a file could not be read, whose reason may go without a trace."""
        if whole and images.settled():
            path = self._stamp(images)
            path.parent.mkdir(exist_ok=True)
            write_whole(path, content.encode())

    def _lock(self, listing: str) -> AbstractContextManager[object]:
        """Return the lock of a listing, held; the system frees it if this process dies."""
        lock = FileLock(self.root / f".{listing}.lock")
        try:
            try:
                return lock.acquire(timeout=0)
            except Timeout:
                say("waiting for another process that is preparing the same images")
                return lock.acquire()
        except NotImplementedError as error:
            raise OSError(None, f"its file system has no locks: {error}") from error

    def _sweep(self, listing: str) -> None:
        """Remove what killed processes left half written, of a listing whose lock is held or of any other."""
        for leftover in self.root.glob(".*.tmp"):
            owner = leftover.name[1:].removesuffix(".tmp")
            lock = FileLock(self.root / f".{owner}.lock", timeout=0) if owner != listing else nullcontext()
            with suppress(OSError, Timeout, NotImplementedError), lock:
                shutil.rmtree(leftover)


def cache_folder(cache: str) -> Path:
    """Return the folder that `data.cache` names; auto is the system's for what can be made again."""
    if cache == "auto":
        cache = os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "ganctl")
    return Path(os.path.expanduser(cache))


def unusable(cache: str, error: OSError) -> ConfigError:
    """Return the error of a cache that cannot be used, in one line."""
    return ConfigError(f"data.cache: {cache_folder(cache)} cannot be used ({error.strerror or error})")


def _publish(temporary: Path, final: Path) -> None:
    """Make an entry durable and give it its name, in place of one that is damaged."""
    for path in (*temporary.iterdir(), temporary):
        sync(path)
    if final.exists():
        shutil.rmtree(final)
    temporary.replace(final)
    sync(final.parent)


def _read_labels(path: Path, count: int) -> torch.Tensor:
    """Return int64 [count] from a .npy file that must hold just that."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i8", "fortran_order": False, "shape": (count,)})
    start = header.getvalue()
    content = read_bytes(path, len(start) + 8 * count)
    if not content.startswith(start) or len(content) != len(start) + 8 * count:
        raise ValueError(f"labels.npy does not hold {count:,} labels")
    return torch.from_numpy(np.frombuffer(bytearray(content), "<i8", offset=len(start)))


def _reserve(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Make a .npy file of uint8 that has its room on the disk: a map is killed where the disk turns out full."""
    rows: np.ndarray = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    size = path.stat().st_size
    if shutil.disk_usage(path.parent).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)
    return rows


def _compact(path: Path, rows: np.ndarray, bad: list[int]) -> None:
    """Close the gaps that bad images left between the rows of a .npy file, and shorten it."""
    if not bad:
        return
    end = bad[0]
    for gap, following in zip(bad, [*bad[1:], len(rows)], strict=True):
        for start in range(gap + 1, following, 4096):
            block = rows[start : min(start + 4096, following)].copy()
            rows[end : end + len(block)] = block
            end += len(block)
    length = path.stat().st_size - (len(rows) - end) * rows[0].nbytes
    header = {"descr": "|u1", "fortran_order": False, "shape": (end, *rows.shape[1:])}
    with path.open("r+b") as file:
        np.lib.format.write_array_header_1_0(file, header)  # as long as before: NumPy leaves room for the count
        file.truncate(length)
