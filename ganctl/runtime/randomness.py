"""Random numbers as pure functions of a key, so that resuming needs no generator state."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def mix(*key: int | str) -> int:
    """Return a 63-bit seed that depends on every part of the key and on nothing else."""
    text = "/".join(f"{type(part).__name__}:{part}" for part in key)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(device: torch.device, *key: int | str) -> torch.Generator:
    """Return a fresh generator on `device`, seeded by the key."""
    return torch.Generator(device).manual_seed(mix(*key))


def normal(shape: tuple[int, ...], device: torch.device, dtype: torch.dtype, *key: int | str) -> Tensor:
    """Return standard normal numbers of a shape on a device, a function of the key; float64 widens float32."""
    return drawn(torch.randn, shape, device, dtype, *key)


def drawn(
    draw: Callable[..., Tensor], shape: tuple[int, ...], device: torch.device, dtype: torch.dtype, *key: int | str
) -> Tensor:
    """Return what `torch.randn` or `torch.rand` draws in float32 by the key, as `dtype`."""
    source = generator(device, *key)
    return draw(shape, generator=source, device=device, dtype=torch.float32).to(dtype)


def seed_networks(device: torch.device, *key: int | str) -> None:
    """Seed the generators that noise inside networks, such as dropout, draws from on a device."""
    seed = mix(*key)
    torch.default_generator.manual_seed(seed)  # torch.manual_seed would visit every kind of device each time
    if device.type == "cuda":
        with torch.cuda.device(device):  # which need not be the current one
            torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


@contextmanager
def seeded(*key: int | str) -> Iterator[None]:
    """Seed torch's global CPU generator by the key within the block, and put its state back after it."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(mix(*key))
        yield


def permutation(length: int, *key: int | str) -> Tensor:
    """Return a permutation of range(length), int64 on the CPU, the same on every device."""
    return torch.randperm(length, generator=generator(torch.device("cpu"), *key))
