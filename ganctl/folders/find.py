"""Which run a word of the user's names, and which was trained last."""

import contextlib
import os
from pathlib import Path

from ganctl.errors import CheckpointError, nearest
from ganctl.runtime.bounded import read_bytes
from ganctl.runtime.disk import intended, write_whole
from ganctl.runtime.root import outputs

LATEST = ".latest"
"""The file in the folder of runs that names the run trained last; no link, which TensorBoard would follow."""


def find_run(word: str) -> Path:
    """Return what a user calls a run: a folder, a name in the folder of runs, `latest`, or a checkpoint file.

    Raises `CheckpointError`, with the nearest name, if there is no such thing.
    """
    path = Path(os.path.expanduser(word))
    places = [path, *([outputs() / path] if len(path.parts) == 1 and path.name else [])]
    there = [place for place in places if place.exists() and (place is path or _is_run_or_checkpoint(place))]
    for place in there:
        if (place / "config.yaml").exists() or (place / "checkpoints").exists():
            return place
    among = outputs() if path.parent == Path() else path.parent
    if path.name == "latest" and (name := _latest(among)) is not None:
        if (among / name).is_dir():
            return among / name
        raise CheckpointError(f"{word}: the run trained last was {among / name}, which is no longer there")
    if there:
        return there[0]
    if path.suffix == ".safetensors":
        raise CheckpointError(f"{word}: does not exist")
    folders = (place.parent for place in places if place.parent.is_dir())
    beside = {each.name for folder in folders for each in folder.iterdir() if _is_run_or_checkpoint(each)}
    why = "it has no config.yaml" if len(places) == 1 else f"neither here nor below {outputs()}/"
    raise CheckpointError(f"{word}: no run folder ({why}){nearest(path.name, beside)}")


def _is_run_or_checkpoint(path: Path) -> bool:
    """Return whether this may be what a user calls a run, and is no other file, such as outputs/README.md."""
    return path.is_dir() or path.suffix == ".safetensors"


def point_latest(folder: Path) -> None:
    """Let `latest` mean the run in a folder; if that cannot be written, it keeps its earlier meaning."""
    here = folder.absolute()
    if here.parent.name != outputs().name:
        return
    with contextlib.suppress(OSError):
        if _latest(here.parent) != here.name:
            write_whole(here.parent / LATEST, os.fsencode(here.name) + b"\n")
        for leftover in here.parent.glob(f".{LATEST}.*"):
            if intended(leftover) == LATEST:
                leftover.unlink()
        link = here.parent / "latest"
        if link.is_symlink() and link.readlink().parent == Path():  # as earlier versions made it
            link.unlink()


def _latest(among: Path) -> str | None:
    """Return the name of the run in a folder of runs that was trained last; None if none is known."""
    try:
        name = os.fsdecode(read_bytes(among / LATEST, 1024)).removesuffix("\n")
    except OSError:
        return None
    return name if name not in ("", ".", "..") and "/" not in name and "\0" not in name else None
