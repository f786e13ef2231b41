"""Images that a command is given, one file or a folder of them, as a generator makes them."""

import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ganctl.data.decoding.decode import BadImageError, Decoded, Decoding, decode
from ganctl.data.decoding.depth import USUAL
from ganctl.data.decoding.files import ImageFile, missing, read, search
from ganctl.data.source import Source
from ganctl.data.sources.image_folder import Folder
from ganctl.errors import ConfigError, DataError, counted
from ganctl.runtime.bounded import UntrustedFileError, regular_size
from ganctl.runtime.console import say
from ganctl.samples import SampleSpace


class GivenImages(NamedTuple):
    """Images as a store has them, uint8 [count, side, side, channels], and their names without endings."""

    rows: Tensor
    names: list[str]


def given_images(path: str, space: SampleSpace, source: Source, key: str, most: int) -> GivenImages:
    """Return the image at `path`, or the first `most` of a folder or zip file, in the size of a generator's.

    They are resized as those of the `source` that it was trained on, or else cropped, which is reported, as are
    those that do not decode. Raises `DataError` that names the `key` if there is no image, `ConfigError` where
    the generator's images are not square.
    """
    channels, height, side = space.shape
    if height != side:
        raise ConfigError(f"{key}: this generator makes {space.describe()}; only square ones can be compared")
    files, decoding = _files(path, key), Decoding(side, channels, "crop")
    if isinstance(source, Folder):
        decoding = replace(source.decoding, side=side, channels=channels, frames="first")
    rows, names, resized, bad = [], [], "", ""
    for file in files[:most]:
        try:
            decoded = _decoded(file, decoding, side)
        except BadImageError as error:
            bad = bad or f"{file.name} ({error})"
            continue
        assert decoded.pixels is not None
        if decoded.size != (side, side):
            width, height = decoded.size
            resized = resized or f"{file.name} of {width}×{height}"
        rows.append(torch.from_numpy(decoded.pixels.copy()))
        names.append(Path(file.relative).stem)
    if not rows:
        raise DataError(f"{key}: {bad} does not decode")
    if bad:
        left_out = counted(min(len(files), most) - len(rows), "image")
        say(f"{key}: {left_out} left out that did not decode, first {bad}")
    if resized:
        say(f"{key}: resized to {side}×{side} pixels, first {resized}")
    if len(files) > most:
        say(f"{key}: the first {most:,} of {len(files):,} images; num=… takes more")
    return GivenImages(torch.stack(rows), names)


def _files(path: str, key: str) -> list[ImageFile]:
    place = Path(os.path.expanduser(path))
    if not place.exists():
        raise missing(path, key)
    if place.is_dir() or place.suffix.lower() == ".zip":
        try:
            return search(path, None).files
        except DataError as error:
            raise DataError(str(error).replace("data.path", key, 1)) from error
    try:
        size = regular_size(place)
    except (UntrustedFileError, OSError) as error:
        raise DataError(f"{key}: {path} cannot be read ({error})") from error
    return [ImageFile(path, place.name, "", size, str(place))]


def _decoded(file: ImageFile, decoding: Decoding, side: int) -> Decoded:
    """Return an image of a file; more than 8 bits lie in the set's range, or in the usual one of their kind."""
    content = read(file)
    decoded = decode(content, side, decoding)
    if decoded.pixels is not None:
        return decoded
    assert decoded.values is not None
    low, high = decoded.values.low, decoded.values.high
    usual = (ends for ends in USUAL[decoded.values.kind] if ends[0] <= low and high <= ends[1])
    return decode(content, side, replace(decoding, range=next(usual, (low, max(high, low + 1)))))
