"""Reads pickles of StyleGAN2-ADA by an allow-list; what they would import is replaced by plain containers.

A network is pickled as a call of `torch_utils.persistence._reconstruct_persistent_obj` with its source code, which
is passed over, and its state: numbers, and tensors as calls of torch's functions, which are replaced by NumPy's.
"""

import io
import pickle
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import numpy as np

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""What torch's older format begins with, in which a storage lies within the pickle."""

STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2"}


class RefusedError(Exception):
    """A pickle that no StyleGAN2-ADA has written, in one line."""


class Plain(dict[str, Any]):
    """In the place of `dnnlib.EasyDict`."""


@dataclass(frozen=True)
class Network:
    """In the place of a network or layer: its attributes."""

    state: dict[str, Any]


def networks(file: BinaryIO) -> dict[str, Network]:
    """Return the networks of a pickle by their names: G, D, G_ema; raise `RefusedError` for other pickles."""
    try:
        found = _Unpickler(file).load()
    except RefusedError:
        raise
    except MemoryError:
        raise RefusedError("asks for more memory than its size explains") from None
    except Exception as error:
        raise RefusedError(f"no intact pickle ({error or type(error).__name__})") from error
    if not isinstance(found, dict):
        raise RefusedError("holds no dictionary of networks")
    return {name: found[name] for name in ("G", "D", "G_ema") if isinstance(found.get(name), Network)}


def tensors(network: Network, prefix: str = "") -> dict[str, np.ndarray]:
    """Return a network's weights and buffers by their dotted names."""
    found: dict[str, np.ndarray] = {}
    for group in ("_parameters", "_buffers"):
        held = _group(network, group)
        found |= {f"{prefix}{name}": values for name, values in held.items() if isinstance(values, np.ndarray)}
    for name, inner in _group(network, "_modules").items():
        if isinstance(inner, Network):
            found |= tensors(inner, f"{prefix}{name}.")
    return found


def attribute(network: Network, *path: str) -> Any:
    """Return an attribute of a layer within a network, or None."""
    for name in path[:-1]:
        inner = _group(network, "_modules").get(name)
        if not isinstance(inner, Network):
            return None
        network = inner
    return network.state.get(path[-1])


def _group(network: Network, name: str) -> dict[str, Any]:
    group = network.state.get(name, {})
    if not isinstance(group, dict) or not all(isinstance(key, str) for key in group):
        raise RefusedError(f"a layer's {name} is no dictionary of names")
    return group


def _network(meta: Any) -> Network:
    if not isinstance(meta, dict) or not isinstance(meta.get("state"), dict):
        raise RefusedError("a network without a state")
    return Network(meta["state"])


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> np.ndarray:
    """Return a tensor of a storage; each number of the storage lies in it at most once."""
    if not isinstance(storage, np.ndarray) or storage.ndim != 1:
        raise RefusedError("a tensor of no storage")
    if not all(
        isinstance(part, tuple) and all(type(n) is int and n >= 0 for n in part) for part in (size, stride)
    ):
        raise RefusedError("a tensor of no size")
    if type(offset) is not int or offset < 0 or len(size) != len(stride) or len(size) > 8:
        raise RefusedError("a tensor of no size")
    count = int(np.prod(size, dtype=object)) if size else 1
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if count > len(storage) or (count and last >= len(storage)):
        raise RefusedError("a tensor larger than its storage")
    steps = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps, writeable=False).copy()


def _parameter(values: Any, *rest: Any) -> Any:
    return values


def _storage(content: Any) -> np.ndarray:
    """Return the storage of torch's older format."""
    if not isinstance(content, bytes):
        raise RefusedError("a storage of no bytes")
    file = io.BytesIO(content)
    if [_Scalars(file).load(), _Scalars(file).load()] != [MAGIC, PROTOCOL]:
        raise RefusedError("a storage in a format that torch 1.7's code does not write")
    _Scalars(file).load()  # the writer's machine
    kind, count = _Named(file).load()
    _Scalars(file).load()  # the storage's key
    (there,) = struct.unpack("<q", file.read(8))
    dtype = np.dtype(STORAGES[kind])
    if there != count or len(content) - file.tell() != count * dtype.itemsize:
        raise RefusedError("a storage of another length than it says")
    return np.frombuffer(content, dtype, count, file.tell())


class _Scalars(pickle.Unpickler):
    """Reads numbers, texts and plain containers."""

    def find_class(self, module: str, name: str) -> Any:
        raise RefusedError(f"names {module}.{name}, which is not run")

    def persistent_load(self, saved: Any) -> Any:
        raise RefusedError("refers to something outside")


class _Named(_Scalars):
    """Reads the name of a storage as its type and length."""

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in STORAGES:
            return name
        return super().find_class(module, name)

    def persistent_load(self, saved: Any) -> Any:
        if not isinstance(saved, tuple) or len(saved) < 5 or saved[0] != "storage" or type(saved[4]) is not int:
            raise RefusedError("a storage without a length")
        return saved[1], saved[4]


class _Unpickler(_Scalars):
    """Reads the whole."""

    ALLOWED: ClassVar[dict[tuple[str, str], Any]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("builtins", "set"): set,
        ("dnnlib.util", "EasyDict"): Plain,
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): _network,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch._utils", "_rebuild_parameter"): _parameter,
        ("torch.storage", "_load_from_bytes"): _storage,
    }

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("dnnlib.tflib"):
            raise RefusedError(
                "a pickle of TensorFlow; convert it by legacy.py of StyleGAN2-ADA for PyTorch first"
            )
        found = self.ALLOWED.get((module, name))
        return super().find_class(module, name) if found is None else found
