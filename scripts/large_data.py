"""Training on more images than memory holds, compared with a small set in memory.

Random pixels are written to a file in the form of a cache entry's samples.npy and dropped from the system's
cache. A process under a memory limit (a cgroup, which takes root; page cache counts in it) then trains the default
DCGAN on them and on 1,000 images in memory, in turns, and prints memory, waiting and speed. The file is removed
at the end.
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

SIDE, CHANNELS = 32, 3
BLOCK = 16384
"""Images written at once."""
IN_MEMORY = 1000
WARM_UP = 5
VERSION_1 = Path("/sys/fs/cgroup/memory")
VERSION_2 = Path("/sys/fs/cgroup")


def write_pixels(path: Path, gigabytes: float) -> int:
    """Write random images to a .npy file, drop it from the system's cache, and return their number."""
    count = int(gigabytes * 1e9) // (BLOCK * SIDE * SIDE * CHANNELS) * BLOCK
    numbers = np.random.default_rng(0)
    header = {"descr": "|u1", "fortran_order": False, "shape": (count, SIDE, SIDE, CHANNELS)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for _ in range(count // BLOCK):
            file.write(numbers.bytes(BLOCK * SIDE * SIDE * CHANNELS))
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return count


@contextlib.contextmanager
def limited(gigabytes: float) -> Iterator[Path | None]:
    """Make a cgroup with a memory limit and yield its folder, None where that is not allowed."""
    first = VERSION_1.is_dir()
    group = (VERSION_1 if first else VERSION_2) / f"ganctl-large-data-{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(int(gigabytes * 1e9)))
    except OSError as error:
        print(f"no limit: {error}; what follows was measured without one")
        with contextlib.suppress(OSError):
            group.rmdir()
        yield None
        return
    try:
        yield group
    finally:
        group.rmdir()


def memory_of(group: Path | None) -> dict[str, float]:
    """Return GB by kind: anonymous and file pages of this process and, in a group, of the group."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    found = {name: float(status[name].split()[0]) * 1024 / 1e9 for name in ("RssAnon", "RssFile")}
    if group is not None:
        lines = (group / "memory.stat").read_text().splitlines()
        values = {name: float(value) / 1e9 for name, value in (line.split() for line in lines)}
        found["group anonymous"] = values.get("rss", values.get("anon", 0.0))
        found["group page cache"] = values.get("cache", values.get("file", 0.0))
    return found


def train(path: Path, group: Path | None, rounds: int, steps: int, reads: int) -> dict[str, Any]:
    """Train on the file and on a set in memory, in turns, then read `reads` batches of the file alone.

    Returns speeds, waiting and peaks of memory, of the training and of the reading.
    """
    import torch

    from ganctl.command_line import compose
    from ganctl.config import train_config
    from ganctl.data.store import MappedPixels, MappedStore, Store
    from ganctl.game.build import build_game, open_configured
    from ganctl.game.step import train_step
    from ganctl.runtime.memory import keep_freed_memory

    (job,) = compose.jobs("train", [])
    config = train_config(job.values())
    keep_freed_memory()
    device = open_configured(config.device, config.data.kind)
    pixels = MappedPixels(path)
    small = np.random.default_rng(1).integers(0, 256, (IN_MEMORY, SIDE, SIDE, CHANNELS), np.uint8)
    stores = {
        "file": MappedStore(samples=pixels.tensor(), pixels=pixels, sha256=""),
        "memory": Store(torch.from_numpy(small)),
    }
    games = {name: build_game(config, store, device) for name, store in stores.items()}
    for game in games.values():
        for step in range(WARM_UP):
            train_step(game, step)
    speeds: dict[str, list[float]] = {name: [] for name in games}
    waits: dict[str, list[float]] = {name: [] for name in games}
    peaks = memory_of(group)
    for turn in range(rounds):
        for name, game in games.items():
            waited, started = game.draws.batches.waited, time.perf_counter()
            for step in range(WARM_UP + turn * steps, WARM_UP + (turn + 1) * steps):
                train_step(game, step)
                peaks = {kind: max(peaks[kind], now) for kind, now in memory_of(group).items()}
            device.synchronise()
            elapsed = time.perf_counter() - started
            speeds[name].append(game.draws.images_per_step * steps / elapsed)
            waits[name].append((game.draws.batches.waited - waited) / elapsed)
    found = {"speeds": speeds, "waits": waits, "peaks": peaks, "device": device.describe()}
    return found | {"reading": read(games["file"].draws.batches, group, reads)}


def read(batches: Any, group: Path | None, count: int) -> dict[str, float]:
    """Read so many batches and do nothing with them; return their rate, images/s, and peaks of memory."""
    peaks = memory_of(group)
    started = time.perf_counter()
    for number in range(count):
        batches.samples("reading", number)
        if number % 100 == 0:
            peaks = {kind: max(peaks[kind], now) for kind, now in memory_of(group).items()}
    return {"images/s": count * batches.batch_size / (time.perf_counter() - started), **peaks}


def main() -> None:
    """Build the file, train in a limited process, print one table, and remove the file."""
    parser = argparse.ArgumentParser("scripts/large_data", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the file is written for the time being")
    parser.add_argument("--gigabytes", type=float, default=10.1, help="size of the file")
    parser.add_argument("--limit", type=float, default=2.0, help="memory of the process, GB")
    parser.add_argument("--rounds", type=int, default=10, help="turns of each side")
    parser.add_argument("--steps", type=int, default=20, help="steps in each turn")
    parser.add_argument(
        "--reads", type=int, default=12_000, help="batches that are read without training, after it"
    )
    parser.add_argument("--inside", default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    path = options.folder / "large-data-samples.npy"
    if options.inside is not None:
        group = Path(options.inside) if options.inside else None
        if group is not None:
            (group / "cgroup.procs").write_text(str(os.getpid()))
        print(json.dumps(train(path, group, options.rounds, options.steps, options.reads)))
        return
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        count = write_pixels(path, options.gigabytes)
        print(f"{count:,} images of {SIDE}×{SIDE}×{CHANNELS}, {path.stat().st_blocks * 512 / 1e9:.2f} GB on disk")
        with limited(options.limit) as group:
            words = [sys.executable, "-m", "scripts.large_data", *sys.argv[1:], f"--inside={group or ''}"]
            result = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    finally:
        path.unlink(missing_ok=True)
    found = json.loads(result.stdout.splitlines()[-1])
    print(f"{options.rounds} turns of {options.steps} steps each on {found['device']}, limit {options.limit} GB")
    for name, speeds in found["speeds"].items():
        low, high = min(speeds), max(speeds)
        wait = statistics.median(found["waits"][name])
        print(
            f"from {name:7} {statistics.median(speeds):8,.0f} images/s ({low:,.0f}–{high:,.0f}), "
            f"waiting for data {wait:.2%} of the time"
        )
    print("peaks of training: " + ", ".join(f"{kind} {value:.2f} GB" for kind, value in found["peaks"].items()))
    rate = found["reading"].pop("images/s")
    peaks = ", ".join(f"{kind} {value:.2f} GB" for kind, value in found["reading"].items())
    print(f"{options.reads:,} batches read alone: {rate:,.0f} images/s; peaks: {peaks}")


if __name__ == "__main__":
    main()
