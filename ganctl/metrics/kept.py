"""Tensors that took long to compute, kept on disk under a digest of all that they depend on."""

import contextlib
import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganctl.data.cache import cache_folder
from ganctl.runtime.console import say
from ganctl.runtime.disk import sync

UNFINISHED_SECONDS = 86_400
"""After which a file under a temporary name is one whose writer was killed."""


class Kept:
    """The folder of one kind of tensors in the cache; a name is a digest of `parts`.

    Where the folder cannot be used, which is said, nothing is kept. Unfinished files go after a day.
    """

    def __init__(self, cache: str, kind: str) -> None:
        self.folder = cache_folder(cache) / kind

    def path(self, *parts: Any) -> Path:
        """Return the file for what depends on the parts, which are plain data."""
        return self.folder / f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]}.safetensors"

    def read(self, path: Path) -> tuple[dict[str, Tensor], dict[str, str]] | None:
        """Return the tensors of a file and what was said about them; None if it is missing or damaged."""
        try:
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                about = dict(file.metadata())
            if about.pop("sha256") == digest(tensors):
                return tensors, about
            reason = "its content does not match its sha256"
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (SafetensorError, OSError, KeyError, TypeError) as error:
            reason = str(error)
        say(f"{path} is damaged ({reason}) and made again")
        return None

    def write(self, path: Path, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
        """Keep tensors, whole or not at all."""
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            save_file(tensors, temporary, about | {"sha256": digest(tensors)})
            sync(temporary)
            temporary.replace(path)
        except (OSError, SafetensorError) as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            say(f"{self.folder} cannot be written ({error}); nothing is kept for the next time")

    def _sweep(self) -> None:
        for leftover in self.folder.glob(".*.tmp"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - leftover.stat().st_mtime > UNFINISHED_SECONDS:
                    leftover.unlink()


def digest(tensors: dict[str, Tensor]) -> str:
    """Return the sha256 of tensors with their names, types and shapes."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        values = tensor.detach().cpu().contiguous()
        found.update(repr((name, values.dtype, tuple(values.shape))).encode())
        rows: Any = values.reshape(-1).numpy()
        found.update(rows)
    return found.hexdigest()
