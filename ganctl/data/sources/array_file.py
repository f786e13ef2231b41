"""What is alike in files of a user's own numbers: which array holds the samples, and which the labels."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganctl.data.source import LabelledSource
from ganctl.data.sources.numpy_file import NumpyFile
from ganctl.errors import DataError
from ganctl.runtime.memory import memory_limit

USUAL_NAMES = ("samples", "images", "data", "x", "arr_0")
"""Which array of an .npz file holds the samples where there are several and none is named, the first of these."""

LABEL_KINDS = "buiUS"
NO_LABELS = "name an array of labels by data.labels=…"
"""Why such data has no labels."""


class ArrayFile(LabelledSource):
    """Numbers in a file; `samples` and `labels` name arrays of an .npz file, or the latter a .npy file."""

    placement = frozenset({"path"})
    path: str
    samples: str | None
    labels: str | None

    def _samples_name(self, file: NumpyFile) -> str | None:
        names = file.names()
        if not file.is_archive:
            if self.samples is not None:
                raise DataError(f"data.samples: is for .npz files, but {self.path} is a .npy, of one array")
            return None
        if self.samples is not None:
            return self._named("samples", self.samples, names)
        candidates = [name for name in names if name != self.labels]
        chosen = candidates if len(candidates) == 1 else [name for name in USUAL_NAMES if name in candidates]
        if not chosen:
            there = f"holds {', '.join(candidates)}; choose by data.samples=…" if candidates else "holds no array"
            raise DataError(f"data.samples: {self.path} {there}")
        return chosen[0]

    def _named(self, key: str, name: str, names: list[str]) -> str:
        if name not in names:
            raise DataError(f"data.{key}: there is no '{name}' in {self.path}; there are {', '.join(names)}")
        return name

    def _labels(self, file: NumpyFile | None, count: int) -> tuple[Tensor | None, tuple[str, ...]]:
        """Return int64 [count] and the names of the classes, which are the labels' sorted values."""
        if self.labels is None:
            return None, ()
        if file is not None and file.is_archive:
            name: str | None = self._named("labels", self.labels, file.names())
            where = f"{name} in {self.path}"
        else:
            file, name, where = NumpyFile(self.labels, "data.labels"), None, self.labels
            if file.is_archive:
                raise DataError(f"data.labels: {where} is an .npz file; name a .npy file of labels")
        header = file.header(name)
        array = f"data.labels: {where} is {header.dtype} {told_axes(header.shape)}"
        if header.dtype.kind not in LABEL_KINDS:
            raise DataError(f"{array}; labels must be whole numbers or text")
        if header.shape not in ((count,), (count, 1)):
            raise DataError(f"{array}, but there are {count:,} samples, and each needs one label")
        values, indices = np.unique(file.read(name).reshape(count), return_inverse=True)
        names = values.astype(np.str_) if header.dtype.kind != "S" else np.char.decode(values, "utf-8", "replace")
        return torch.from_numpy(indices.astype(np.int64)), tuple(map(str, names))

    def _require_memory(self, wanted: int) -> None:
        """Refuse so many bytes of samples as would fill the memory there is, before any is read."""
        if wanted > (limit := memory_limit()) // 2:
            raise DataError(
                f"data.path: {self.path} makes {wanted:,} bytes of samples, more than half of the "
                f"{limit:,} of memory; images as uint8 [N,H,W,C] in a .npy file stay on the disk"
            )

    def _require_finite(self, values: Any) -> None:
        if not np.isfinite(values).all():
            raise DataError(
                f"data.path: {self.path} holds values that are not finite (NaN or infinite) in 32 bits"
            )


def told_axes(shape: tuple[int, ...]) -> str:
    """Return a shape in words, such as "[10,3]"."""
    return f"[{','.join(map(str, shape))}]"
