"""Where to compute and in which precision."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from ganctl.errors import ConfigError, counted

Precision = Literal["fp32", "bf16", "fp16", "fp64"]


@dataclass(frozen=True)
class Device:
    """An opened device and the precision of the step on it."""

    torch_device: torch.device
    precision: Precision
    strict: bool

    @property
    def dtype(self) -> torch.dtype:
        """The type of weights, latents and images (activations follow `autocast`)."""
        return torch.float64 if self.precision == "fp64" else torch.float32

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which forwards run: mixed precision for bf16 and fp16, else nothing."""
        dtypes = {"bf16": torch.bfloat16, "fp16": torch.float16}
        if self.precision not in dtypes:
            return nullcontext()
        return torch.autocast(self.torch_device.type, dtypes[self.precision])

    def full_precision(self) -> AbstractContextManager[object]:
        """Return a context that switches `autocast` off inside it."""
        return torch.autocast(self.torch_device.type, enabled=False)

    def gradient_scaler(self) -> torch.amp.GradScaler:
        """Return a loss scaler of one network's own; it does nothing unless the precision is fp16."""
        return torch.amp.GradScaler(self.torch_device.type, enabled=self.precision == "fp16")

    def synchronise(self) -> None:
        """Wait until the device has done all that was asked of it."""
        if self.torch_device.type == "cuda":
            torch.cuda.synchronize(self.torch_device)
        elif self.torch_device.type == "mps":
            torch.mps.synchronize()

    def describe(self) -> str:
        """Return the device's name for people, such as "cuda (NVIDIA H200)"."""
        if self.torch_device.type == "cuda":
            return f"{self.torch_device} ({torch.cuda.get_device_name(self.torch_device)})"
        return f"{self.torch_device} ({counted(torch.get_num_threads(), 'thread')})"


def open_device(name: str, precision: str, strict: bool, threads: int | None, *, coarse: bool = True) -> Device:
    """Open a device, or say in one line why it cannot be had.

    `name` is auto, cpu, cuda, cuda:N or mps; `precision` a `Precision` or auto. `strict` makes fp32
    bit-reproducible: deterministic algorithms, no TF32. `coarse`: the samples bear bf16, whose steps
    near 1 are 1/128: images do, coordinates do not, so that auto takes fp32 for them.

    Raises `ConfigError` for a device this machine lacks or a precision it cannot use.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    device = _find(name)
    chosen = _precision(device, "fp32" if precision == "auto" and not coarse else precision, strict)
    if strict != torch.are_deterministic_algorithms_enabled():  # the setter takes a second of imports
        torch.use_deterministic_algorithms(strict)
        # Else every new tensor is written twice; the property is there, only not for type checkers.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.deterministic = True
    torch.set_float32_matmul_precision("highest" if strict else "high")
    torch.backends.cudnn.allow_tf32 = not strict
    return Device(device, chosen, strict)


def _find(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    kind, _, index = name.partition(":")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if count == 0:
            raise ConfigError(
                "device.name: no CUDA device is usable here; take device=cpu or device=auto, or check "
                "`nvidia-smi` and that torch was built with CUDA"
            )
        if index and int(index) >= count:
            raise ConfigError(f"device.name: {name} does not exist; this machine has cuda:0 to cuda:{count - 1}")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device.name: MPS needs an Apple computer; take device=cpu or device=auto")
    return torch.device(name)


def _precision(device: torch.device, wanted: str, strict: bool) -> Precision:
    if strict:
        if wanted not in ("auto", "fp32"):
            raise ConfigError(f"device.precision: strict computes in fp32, not {wanted}; set one of the two")
        return "fp32"
    if wanted == "auto":
        if device.type == "cuda":
            has_bf16 = torch.cuda.get_device_capability(device) >= (8, 0)
        else:
            has_bf16 = device.type == "cpu" and bool(torch.cpu.get_capabilities().get("avx512_bf16"))
        return "bf16" if has_bf16 else "fp32"
    if wanted == "fp64" and device.type == "mps":
        raise ConfigError("device.precision: MPS has no fp64; take fp32, or device=cpu")
    return wanted  # type: ignore[return-value]  # the schema admits no other word
