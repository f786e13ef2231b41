"""One group of the processes that torchrun started: they join, and all end together with the same exit code."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from torch import cuda, distributed
from torch.distributed.rendezvous import rendezvous

from ganctl.errors import ConfigError, GanctlError, PeerError, Stopped, explained, one_line
from ganctl.processes.ranks import Ranks
from ganctl.runtime.job import rank_in_job, size_of_job
from ganctl.runtime.signals import Signals

BEAT = 0.5
"""Seconds between two signs of life that each process gives."""

PATIENCE = 6 * BEAT
"""Seconds in which a process that lives gives one."""

GRACE = 1.0
"""Seconds in which the first rank may say what is wrong, before another does."""

MEETING = timedelta(minutes=10)
"""How long processes wait for each other at the start."""

ENDED = "ganctl/ended"
"""Where the first process that ends with an error leaves its rank and exit code."""

_store: list[Any] = []


@contextmanager
def together(signals: Signals) -> Iterator[None]:
    """Let the processes of this job end together.

    An error of any rank ends all: the first to fail says why, the others raise a silent `PeerError` with the same
    exit code. One that is killed, or does not answer, is named. Raises `PeerError` if they do not find each other.
    """
    try:
        store = next(rendezvous("env://", timeout=MEETING))[0]
    except (RuntimeError, ValueError) as error:
        raise PeerError(
            f"torchrun: rank {rank_in_job()} does not find the others ({_first_line(error)})"
        ) from error
    peers = _Peers(store, rank_in_job(), size_of_job())
    _store.append(store)
    try:
        yield
    except (Exception, Stopped) as error:
        signals.deferred = True  # torchrun sends SIGTERM to all when one has ended
        raise peers.verdict(error) from error
    finally:
        peers.left.set()
        _store.clear()


@contextmanager
def joined(timeout: float) -> Iterator[Ranks]:
    """Let processes that are `together` exchange tensors within the block, and wait `timeout` s for each other.

    Where there are none, it joins nothing.
    """
    if not _store:
        yield Ranks.here()
        return
    backend = "cpu:gloo,cuda:nccl" if cuda.is_available() else "gloo"
    try:
        distributed.init_process_group(
            backend,
            store=_store[0],
            rank=rank_in_job(),
            world_size=size_of_job(),
            timeout=timedelta(seconds=timeout),
        )
    except ValueError as error:
        raise ConfigError(f"torchrun: {_first_line(error)}") from error
    try:
        yield Ranks.here()
    finally:
        distributed.destroy_process_group()


def _first_line(error: Exception) -> str:
    return one_line(str(error).partition("\n")[0])


class _Peers:
    """The processes of a job by what they leave in torchrun's store: signs of life, and how the first ended."""

    def __init__(self, store: Any, rank: int, world: int) -> None:
        self._store, self._rank, self._world = store, rank, world
        self.left = threading.Event()
        threading.Thread(target=self._beat, args=(store.clone(),), daemon=True).start()

    def _beat(self, store: Any) -> None:
        number = 0
        while not self.left.wait(BEAT):
            number += 1
            try:
                store.set(self._beats(self._rank), str(number))
            except RuntimeError:  # the store ends with torchrun
                return

    @staticmethod
    def _beats(rank: int) -> str:
        return f"ganctl/beats/{rank}"

    def verdict(self, error: Exception | Stopped) -> BaseException:
        """Return what an error of this rank ends it with, and tell the others."""
        try:
            own = error if isinstance(error, Stopped) else explained(error)
        except Exception:  # a programmer's mistake, or what torch says once another process has ended
            own = None
        try:
            if own is None and isinstance(error, RuntimeError):
                own = self._of_the_lost()
            return self._first_to_say(own or error)
        except RuntimeError:  # the store is gone, and torchrun with it
            return own or PeerError("torchrun has ended; the same command goes on")

    def _first_to_say(self, own: BaseException) -> BaseException:
        """Return an error that says what it is if no other rank does."""
        if self._rank:
            self._wait_for_the_end(GRACE)
        mine = f"{self._rank} {getattr(own, 'exit_code', 1)}"
        first = self._store.compare_set(ENDED, "", mine).decode()
        if first != mine:
            return PeerError("another process says why", code=int(first.split()[1]), silent=True)
        if self._rank and isinstance(own, GanctlError | Stopped) and not isinstance(own, PeerError):
            return PeerError(f"rank {self._rank}: {own}", code=own.exit_code)
        return own

    def _of_the_lost(self) -> PeerError | None:
        """Return an error that names the ranks which give no sign of life, None if all do or one has said more."""
        others = [rank for rank in range(self._world) if rank != self._rank]
        before = {rank: self._last(rank) for rank in others}
        if self._wait_for_the_end(PATIENCE):
            return None
        lost = [str(rank) for rank in others if self._last(rank) == before[rank]]
        told = f"rank{'s' * (len(lost) > 1)} {', '.join(lost)} of {self._world}: gone, or without an answer"
        return PeerError(f"{told}; the same command goes on from the last checkpoint") if lost else None

    def _wait_for_the_end(self, seconds: float) -> bool:
        """Wait at most so long until a rank has left word how it ended; return whether one has."""
        deadline = time.monotonic() + seconds
        while not (ended := self._store.check([ENDED])) and time.monotonic() < deadline:
            time.sleep(BEAT / 5)
        return bool(ended)

    def _last(self, rank: int) -> bytes:
        key = self._beats(rank)
        return bytes(self._store.get(key)) if self._store.check([key]) else b""
