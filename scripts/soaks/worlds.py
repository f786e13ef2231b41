"""Kills processes that train one run together, one of them or all, and goes on by the same command."""

import random
import shutil
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from torch import distributed

from scripts.soaks.kills import RUN
from scripts.soaks.traces import traces
from scripts.soaks.warm import Started, Warm

WORDS = (
    *("train", "name=run", "data=digits", "data.resolution=8", "model=dcgan", "model.latent=8"),
    *("model.generator.width=4", "model.discriminator.width=4", "model.discriminator.norm=batch"),
    *("augment=[ada]", "penalty=[r1]", "penalty.r1.every=4", "train.batch_size=8", "train.steps=120"),
    *("checkpoint.every=20", "logging.every=10", "sample.every=40", "sample.num=4", "evaluate.every=60"),
    *("evaluate.num=80", "metric/features=raw", "metric=[fid]", "device=cpu", "device.timeout=20"),
)
"""A run with terms that have a state, batch norm, images and evaluations."""

LONGEST = 60.0
"""Seconds in which all must have ended once one has."""


@dataclass
class Counts:
    """What was done: kills by what was killed, runs that were finished, and those that were lost or differ."""

    kills: dict[str, int] = field(default_factory=lambda: {"one": 0, "all": 0})
    runs: int = 0
    wrong: list[str] = field(default_factory=list)


@contextmanager
def met(world: int) -> Iterator[dict[str, str]]:
    """Hold the store where so many processes meet, as torchrun does; yield the variables that it gives them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = distributed.TCPStore(  # type: ignore[attr-defined]
        "127.0.0.1", port, is_master=True, wait_for_workers=False, timeout=timedelta(60)
    )
    yield {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "WORLD_SIZE": str(world),
    }
    del store


def started(warm: Warm, meeting: dict[str, str], folder: Path, words: Sequence[str]) -> list[Started]:
    """Start every rank in a folder with the same words."""
    ranks = map(str, range(int(meeting["WORLD_SIZE"])))
    return [warm.start(folder, *words, **meeting, RANK=rank, LOCAL_RANK=rank) for rank in ranks]


def soak_worlds(kills: int, seed: int, world: int, work: Path) -> Counts:
    """Train a run undisturbed, then again and again under SIGKILL of a rank, or all, at random moments."""
    source, counts = random.Random(seed), Counts()
    with Warm() as warm:
        (work / "whole").mkdir(parents=True)
        begun = time.monotonic()
        codes, told = _life(warm, work / "whole", world, None, [])
        longest = time.monotonic() - begun
        if any(codes):
            raise SystemExit(f"soak: the undisturbed run ended with {codes}: {told}")
        expected = traces(work / "whole" / RUN)
        while sum(counts.kills.values()) < kills:
            place = work / f"killed-{counts.runs}"
            place.mkdir()
            counts.runs += 1
            if (wrong := _killed(warm, place, world, kills, longest, expected, source, counts)) is None:
                shutil.rmtree(place)
            else:
                counts.wrong.append(f"{place}: {wrong}")
    return counts


def _killed(
    warm: Warm,
    place: Path,
    world: int,
    kills: int,
    longest: float,
    expected: dict[str, Any],
    source: random.Random,
    counts: Counts,
) -> str | None:
    """Train a run under kills to its end; return what is wrong with it."""
    while True:
        left = sum(counts.kills.values()) < kills
        which = source.choice(["one", "all"])
        victims = list(range(world)) if which == "all" else [source.randrange(world)]
        codes, told = _life(warm, place, world, source.uniform(0, longest) if left else None, victims)
        if all(code == 0 for code in codes):
            found = traces(place / RUN)
            apart = [key for key, value in expected.items() if found[key] != value]
            return f"differs in {', '.join(apart)}" if apart else None
        counts.kills[which] += -signal.SIGKILL in codes
        if any(
            code not in ((0, -signal.SIGKILL) if rank in victims else (0, 7)) for rank, code in enumerate(codes)
        ):
            return f"exit codes {codes}, killed {victims}: {told}"


def _life(
    warm: Warm, place: Path, world: int, moment: float | None, victims: Sequence[int]
) -> tuple[list[int | None], str]:
    """Let the ranks live until they end, or some are killed; return their exit codes, and what they said."""
    with met(world) as meeting:
        ranks = started(warm, meeting, place, WORDS)
        if moment is not None:
            time.sleep(moment)
            for victim in victims:
                ranks[victim].send_signal(signal.SIGKILL)
        said = [rank.communicate(LONGEST if moment is not None else 600) for rank in ranks]
    return [rank.returncode for rank in ranks], "; ".join(err.strip() for _, err in said if err.strip())
