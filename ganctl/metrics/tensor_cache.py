"""Tensors that took long to compute, stored on disk under a question: all that they depend on."""

import contextlib
import hashlib
import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganctl.data.cache.entries import cache_folder
from ganctl.runtime.bounded import regular_size
from ganctl.runtime.console import say
from ganctl.runtime.disk import intended, sync, temporary

UNFINISHED_SECONDS = 86_400
"""After which a file under a temporary name is one whose writer was killed."""

HEADER_BYTES = 1 << 20
"""What a file may hold besides its tensors."""

ENTRY = "answer"
"""The one entry of a file's metadata (safetensors shuffles several): the question's and the tensors' sha256."""

Form = tuple[torch.dtype, tuple[int, ...]]
"""Type and shape of a tensor."""


class TensorCache:
    """The folder of one kind of answers in the cache.

    The digest of a question, plain data, names the file of its answer and is stored in it: a renamed file answers
    no other question. A folder that cannot be used is reported. Unfinished files are removed after a day.
    """

    def __init__(self, cache: str, kind: str) -> None:
        self.folder = cache_folder(cache) / kind

    def read(self, question: list[Any], forms: Mapping[str, Form]) -> dict[str, Tensor] | None:
        """Return tensors of these names, types and shapes, all finite; None, reported, for anything else."""
        path = self._path(question)
        try:
            return _read(path, _digest_of(question), forms)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (SafetensorError, OSError, RuntimeError, ValueError) as error:
            say(f"{path} is damaged ({error}) and made again")
            return None

    def write(self, question: list[Any], tensors: Mapping[str, Tensor]) -> None:
        """Store an answer, completely or not at all; one with numbers that are not finite is not stored."""
        if not all(map(_is_finite, tensors.values())):
            return
        still = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        path, asked = self._path(question), _digest_of(question)
        unfinished = temporary(path)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._sweep()
            save_file(still, unfinished, {ENTRY: f"{asked} {digest(still)}"})
            sync(unfinished)
            unfinished.replace(path)
        except (OSError, SafetensorError) as error:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            say(f"{self.folder} cannot be written ({error}); nothing is kept for the next time")

    def _path(self, question: list[Any]) -> Path:
        return self.folder / f"{_digest_of(question)[:32]}.safetensors"

    def _sweep(self) -> None:
        for path in self.folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if intended(path) and time.time() - path.stat().st_mtime > UNFINISHED_SECONDS:
                    path.unlink()


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the sha256 of tensors with their names, types and shapes."""
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        values = tensor.detach().cpu().contiguous()
        found.update(repr((name, values.dtype, tuple(values.shape))).encode())
        rows: Any = values.reshape(-1).numpy()
        found.update(rows)
    return found.hexdigest()


def _read(path: Path, asked: str, forms: Mapping[str, Form]) -> dict[str, Tensor]:
    """Return the tensors of a file; raise `ValueError` for another question's answer or other tensors."""
    expected = sum(dtype.itemsize * math.prod(shape) for dtype, shape in forms.values())
    if regular_size(path) > expected + HEADER_BYTES:
        raise ValueError("it is longer than its answer")
    with safe_open(path, "pt") as file:
        question, _, found = (file.metadata() or {}).get(ENTRY, "").partition(" ")
        if question != asked:
            raise ValueError("it answers another question")
        if set(file.keys()) != forms.keys():
            raise ValueError("it holds other tensors")
        tensors = {name: file.get_tensor(name) for name in forms}
    for name, tensor in tensors.items():
        if (tensor.dtype, tuple(tensor.shape)) != forms[name]:
            raise ValueError(f"{name} is {tensor.dtype} {list(tensor.shape)}")
        if not _is_finite(tensor):
            raise ValueError(f"{name} holds numbers that are not finite")
    if found != digest(tensors):
        raise ValueError("its content does not match its sha256")
    return tensors


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())


def _digest_of(question: list[Any]) -> str:
    return hashlib.sha256(json.dumps(question).encode()).hexdigest()
