"""A small set of pictures, and how it is loaded through a cache."""

from pathlib import Path

from ganctl.data import folder
from ganctl.data.decode import Decoding
from ganctl.data.store import Store
from tests.data.drawn import BLUE, GREEN, RED, plain

FILES = {"a/1.png": plain(RED), "a/2.png": b"", "b/3.png": plain(GREEN), "b/4.png": plain(BLUE)}


def load(path: Path, cache: Path | None, *, bad: float = 0.5, side: int | None = 8, channels: int = 3) -> Store:
    return folder.load(str(path), None, Decoding(side, channels, "crop"), bad, 2, cache and str(cache))


def entries(cache: Path) -> list[Path]:
    return [path for path in (cache / "pictures").iterdir() if not path.name.startswith(".")]
