"""Decoding many images at once, in threads or in processes of their own. Needs no torch."""

import hashlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ganctl.data.decoding.decode import BadImageError, Decoding, decode
from ganctl.data.decoding.depth import Ends, Values
from ganctl.data.decoding.files import ImageFile, read
from ganctl.data.decoding.library_warnings import complaint, quiet
from ganctl.errors import DataError
from ganctl.runtime.console import track
from ganctl.runtime.signals import ENDING, SAVING

PROCESSES_FROM = 4000
"""Number of images from which processes beat threads, although starting them takes half a second."""

CHUNK = 64
"""Images that a process is sent at once."""

A = TypeVar("A")
B = TypeVar("B")


@dataclass(frozen=True)
class DecodeTask:
    """What is to be done with each image.

    It is decoded to `side` pixels and, where `rows` names a .npy file of uint8 [count, side, side, channels],
    written to the row of its position. `hashed` asks for the sha256 of its bytes, `surveyed` for what it looked
    like before. `ranges` are black and white of values of more than 8 bits, by their kind, if known.
    """

    side: int
    decoding: Decoding
    rows: str | None = None
    hashed: bool = False
    surveyed: bool = False
    ranges: dict[str, Ends] = field(default_factory=dict)


class Outcome(NamedTuple):
    """What became of one image.

    `reason` says why it cannot be used, or is empty. `digest` is the sha256 of its bytes, if asked for and they
    could be read. `mode`, `size`, `frames`, `values` and `outside` are those of `Decoded`, `complaint` is what
    Pillow or libtiff warned of. Of a surveyed image, `pixels` is a digest of what it decoded to, and `blank` says
    that this is one single colour.
    """

    reason: str = ""
    digest: str = ""
    mode: str = ""
    size: tuple[int, int] = (0, 0)
    frames: int = 1
    values: Values | None = None
    outside: int = 0
    pixels: str = ""
    blank: bool = False
    complaint: str = ""


def decode_all(
    files: list[ImageFile],
    task: DecodeTask,
    rows: np.ndarray | None,
    workers: int | None,
    what: str,
    positions: list[int] | None = None,
) -> list[Outcome]:
    """Decode every image, or those at `positions`, and return what became of each; progress is shown as `what`.

    Rows go to the array `rows` in threads of this process, or, where there are many images and the task names a
    file, straight to that file from other processes. `workers` is how many, None as many as there are CPU cores
    for this process. A signal, or any other exception in between, ends all workers at once.

    Raises `DataError` if a process dies.
    """
    chosen = list(range(len(files))) if positions is None else positions
    count = min(workers or usable_cores(), len(chosen))
    apart = len(chosen) >= PROCESSES_FROM and count > 1 and (rows is None or task.rows is not None)
    outcomes = [Outcome()] * len(files)
    alone = threading.Lock()

    def one(position: int) -> tuple[int, Outcome]:
        return position, examine(files[position], task, None if rows is None else rows[position], alone)

    results = _in_processes(files, chosen, task, count) if apart else in_threads(one, chosen, count)
    with quiet(), closing(results):
        for position, outcome in track(results, len(chosen), what):
            outcomes[position] = outcome
    return outcomes


def usable_cores() -> int:
    """Return how many CPU cores this process may use, at least 1."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def hash_all(files: list[ImageFile], workers: int | None, what: str) -> list[str]:
    """Return the sha256 of each image's bytes, "" where they cannot be read."""

    def digest(file: ImageFile) -> str:
        try:
            return hashlib.sha256(read(file).getbuffer()).hexdigest()
        except BadImageError:
            return ""

    with closing(in_threads(digest, files, workers)) as digests:
        return list(track(digests, len(files), what))


def examine(
    file: ImageFile, task: DecodeTask, row: np.ndarray | None, alone: AbstractContextManager[Any] | None = None
) -> Outcome:
    """Decode one image, into `row` if there is one, and say what became of it."""
    complaint()
    try:
        content = read(file)
    except BadImageError as error:
        return Outcome(str(error))
    digest = hashlib.sha256(content.getbuffer()).hexdigest() if task.hashed else ""
    try:
        decoded = decode(content, task.side, task.decoding, frame=file.frame, ranges=task.ranges, alone=alone)
    except BadImageError as error:
        return Outcome(str(error), digest)
    pixels, mode, size, frames, values, outside = decoded
    outcome = Outcome("", digest, mode, size, frames, values, outside, complaint=complaint())
    if row is not None and pixels is not None:
        row[...] = pixels
    if pixels is None or not task.surveyed:
        return outcome
    seen = hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest()
    return outcome._replace(pixels=seen, blank=bool((pixels == pixels[0, 0]).all()))


def in_threads(function: Callable[[A], B], items: Iterable[A], workers: int | None) -> Generator[B, None, None]:
    """Yield a function's results in order, computed in threads; None takes as many as there are cores."""
    pool = ThreadPoolExecutor(workers or usable_cores())
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(cancel_futures=True)  # else a signal would wait for all items


def _in_processes(
    files: list[ImageFile], chosen: list[int], task: DecodeTask, count: int
) -> Generator[tuple[int, Outcome], None, None]:
    chunks = iter([chosen[start : start + CHUNK] for start in range(0, len(chosen), CHUNK)])
    workers: dict[Connection, BaseProcess] = {}

    def send(connection: Connection) -> None:
        if (chunk := next(chunks, None)) is not None:
            connection.send([(position, files[position]) for position in chunk])

    left = len(chosen)
    # Not forked: torch's threads would be missing in the copy, and their locks might be held for ever.
    context = multiprocessing.get_context("spawn")
    try:
        with _signals_held_back():
            alone = context.Lock()
            for _ in range(count):
                ours, theirs = context.Pipe()
                process: BaseProcess = context.Process(target=_work, args=(theirs, task, alone), daemon=True)
                try:
                    process.start()
                except OSError as error:
                    raise DataError(
                        f"data.workers: a process to decode in cannot be started ({error.strerror}); "
                        "set data.workers=1"
                    ) from error
                theirs.close()
                workers[ours] = process
        for connection in workers:
            send(connection)
            send(connection)  # the next chunk is there when the first is done
        while left:
            for ready in wait(list(workers)):
                assert isinstance(ready, Connection)
                results = ready.recv()
                left -= len(results)
                send(ready)
                yield from results
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise DataError(_obituary(list(workers.values()))) from None
    finally:
        for connection, process in workers.items():
            process.kill()
            process.join()
            connection.close()


def _work(connection: Connection, task: DecodeTask, alone: Lock) -> None:
    """Decode what is sent until the connection closes, as it does too when the process at its other end dies."""
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C goes to every process of a terminal; the first one decides
    rows = np.load(task.rows, mmap_mode="r+") if task.rows is not None else None
    try:
        with quiet():
            while True:
                results = []
                for position, file in connection.recv():
                    row = None if rows is None else rows[position]
                    results.append((position, examine(file, task, row, alone)))
                connection.send(results)
    except (EOFError, OSError):
        return


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Let processes start without signals that end a terminal's group; this one receives them afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # it would lift the block when it is started along with the first process
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (*ENDING, *SAVING))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _obituary(processes: list[BaseProcess]) -> str:
    for process in processes:
        process.join(0.1)
    code = next((process.exitcode for process in processes if process.exitcode), 0)
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return (
        f"data.workers: a process that decoded images {how}, as happens when memory runs out; "
        "the same command again starts over, data.workers=1 takes the least memory"
    )
