"""The process that reads a pickle: with little memory and time, and with no way to open, run or reach anything."""

import os
import resource
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from scripts.stylegan.naming import discriminator_names, generator_names, settings
from scripts.stylegan.unpickling import RefusedError, attribute, networks, tensors

LARGEST = 4 << 30
"""Bytes of a pickle; that of 1,024 pixels has 0.4 GB."""

SPARE, COPIES = 1 << 30, 6
"""Memory beside so many copies of the file."""

SECONDS = 300
FORBIDDEN = ("open", "exec", "compile", "import", "os.", "socket.", "subprocess.", "ctypes.", "shutil.", "pty.")
"""Python's audit events that reading needs none of."""


def main(source: Path, target: Path) -> list[str]:
    """Write the networks of a pickle, and return what to say; raise `RefusedError` in one line."""
    with open(source, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST:
            raise RefusedError(f"of {size:,} bytes; StyleGAN2's have less than {LARGEST:,}")
        _limit(size)
        reading = _watched()
        found = networks(file)
        reading.clear()
    if {"G", "D", "G_ema"} - set(found):
        raise RefusedError("holds no networks G, D and G_ema of StyleGAN2-ADA for PyTorch")
    generator, average = (generator_names(tensors(found[name])) for name in ("G", "G_ema"))
    discriminator = discriminator_names(tensors(found["D"]))
    try:
        words = settings(generator, discriminator, attribute(found["D"], "b4", "mbstd", "group_size"))
    except (KeyError, IndexError) as error:
        raise RefusedError(f"its networks lack {error}, which StyleGAN2's have") from error
    parts = {"generator": generator, "ema": average, "discriminator": discriminator}
    named = {f"{part}.{name}": values for part, inner in parts.items() for name, values in inner.items()}
    if broken := [name for name, values in named.items() if not np.isfinite(values).all()]:
        raise RefusedError(f"{broken[0]} holds numbers that are not finite")
    save_file(named, target)
    return [f"{len(named)} tensors: {target}", f"ganctl train init_from={target} {' '.join(words)}"]


def _limit(size: int) -> None:
    memory = _used() + SPARE + COPIES * size
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (COPIES * size + SPARE, COPIES * size + SPARE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _used() -> int:
    """Return the bytes of addresses that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _watched() -> set[str]:
    """Refuse all that is forbidden until the set that is returned is cleared."""
    active = {"reading"}

    def hook(event: str, arguments: object) -> None:
        if active and event.startswith(FORBIDDEN):
            os.write(2, f"would do what reading needs not: {event}\n".encode())
            os._exit(1)

    sys.addaudithook(hook)
    return active


if __name__ == "__main__":
    try:
        print("\n".join(main(Path(sys.argv[1]), Path(sys.argv[2]))))
    except (RefusedError, OSError) as error:
        sys.exit(str(error))
    except MemoryError:
        sys.exit("asks for more memory than its size explains")
