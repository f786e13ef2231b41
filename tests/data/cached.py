"""A small set of images, and how it is loaded through a cache."""

import io
from pathlib import Path

import numpy as np

from ganctl.data.decoding.decode import Decoding, decode
from ganctl.data.decoding.depth import decide
from ganctl.data.sources import image_folder as folder
from ganctl.data.store import Store
from tests.data.drawn import BLUE, GREEN, RED, plain

FILES = {"a/1.png": plain(RED), "a/2.png": b"", "b/3.png": plain(GREEN), "b/4.png": plain(BLUE)}


def load(path: Path, cache: Path | None, *, bad: float = 0.5, side: int | None = 8, channels: int = 3) -> Store:
    return folder.load(str(path), None, Decoding(side, channels, "crop"), bad, 2, cache and str(cache))


def pixels_of(content: io.BytesIO, side: int, decoding: Decoding) -> np.ndarray:
    """Decode a set of one image, the range of its values found as for any set."""
    found = decode(content, side, decoding)
    if found.pixels is None:
        assert found.values is not None
        ranges = {kind: each.ends for kind, each in decide([found.values], "set").items()}
        found = decode(content, side, decoding, ranges=ranges)
    assert found.pixels is not None
    return found.pixels


def entries(cache: Path) -> list[Path]:
    return [path for path in (cache / "pictures").iterdir() if not path.name.startswith(".")]
