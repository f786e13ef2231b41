"""Where a command's results go: to a file, told by its ending, or into a folder."""

import contextlib
import errno
import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from ganctl.errors import ConfigError, WriteError
from ganctl.runtime.disk import make_folder

FILES = {
    *("avif", "bmp", "gif", "jpeg", "jpg", "png", "svg", "tif", "tiff", "webp"),
    *("apng", "avi", "mkv", "mov", "mp4", "webm"),
    *("csv", "json", "npy", "npz", "parquet", "txt", "yaml", "yml"),
    *("html", "onnx", "pdf", "pkl", "pt", "pt2", "pth", "safetensors", "zip"),
}
"""Endings that nobody gives to a folder."""

LONGEST = 40
"""Characters of a text in a file's name."""


def file_named(out: str | None, endings: Collection[str]) -> Path | None:
    """Return the file that `out` names, with one of the endings, or None for a folder and for no `out`.

    A folder that exists is one whatever its name. Raises `ConfigError` for a file of another ending, and
    `WriteError` for a place where nothing can be written, before anything is computed.
    """
    path = Path(out or "")
    if out is not None:
        _require_place(path)
    ending = path.suffix.removeprefix(".").lower()
    if out is None or path.is_dir() or out.endswith("/") or ending not in FILES:
        return None
    if ending not in endings:
        known = ", ".join(f".{each}" for each in sorted(endings))
        raise ConfigError(
            f"out: {out} would be a file of another kind than {known}; take one of these, or a folder"
        )
    return path


def _require_place(path: Path) -> None:
    """Raise `WriteError` for a place below a file, or below a folder in which nothing can be made."""
    above = path if path.is_dir() else path.parent
    while not above.exists():
        above = above.parent
    if not above.is_dir():
        raise WriteError.of(path, errno.ENOTDIR)
    if not os.access(above, os.W_OK | os.X_OK):
        raise WriteError.of(path, errno.EACCES)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make the folder of a file within which it is written; whatever goes wrong is one line.

    Raises `WriteError`.
    """
    try:
        make_folder(path.parent)
        yield
    except OSError as error:
        raise WriteError.of(path, error.errno) from error


def stem_of(checkpoint: Path, asked: str, *, ema: bool) -> str:
    """Return the name of a result without its ending: the checkpoint's, what was asked for, and raw weights."""
    return "-".join([checkpoint.stem, asked, *([] if ema else ["raw"])])


NEUTRAL = ("ckpt", "which", "ema", "device", "plugins", "batch_size", "cache", "out", "show", "standing")
"""Keys, or what they begin with, that no digest in a name tells: they change nothing, or the name has them."""


def told_apart(typed: Mapping[str, str], *named: str) -> list[str]:
    """Return a digest of the words that were typed, but for keys that are `named`; none if there are no others."""
    others = {key: text for key, text in typed.items() if key.partition(".")[0] not in (*NEUTRAL, *named)}
    return [digest(sorted(others.items()))] if others else []


def word(text: str) -> str:
    """Return a text as a part of a file's name; where that changes it, its digest tells it from others."""
    plain = re.sub(r"[^\w.+-]+", "_", text)[:LONGEST]
    return plain if plain == text else f"{plain}-{digest(text)}"


def digest(value: object) -> str:
    """Return six characters that tell a value from others."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:6]
