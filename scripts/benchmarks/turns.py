"""Sides of a case, each in a process of its own, timed in turns."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Measured:
    """Images per second of one side, turn by turn, and the MiB it holds on top of importing torch."""

    speeds: list[float]
    memory: int

    @property
    def median(self) -> float:
        """The median speed."""
        return statistics.median(self.speeds)

    def ratios(self, base: "Measured") -> list[float]:
        """Return the speeds of each turn over those of the base's same turn."""
        return [ours / theirs for ours, theirs in zip(self.speeds, base.speeds, strict=True)]


class Side:
    """A worker, ready to be asked."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scripts.benchmarks.worker", json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )

    def __enter__(self) -> "Side":
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def take(self, steps: int) -> tuple[float, int]:
        """Let it take steps; return their seconds, and its memory in MiB.

        Raises `SystemExit` if it has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{steps}\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("scripts/benchmark: a side ended with an error; see above")
        found = json.loads(answer)
        return found["seconds"], found["memory"]


def in_turns(
    sides: Sequence[dict[str, Any]], images: Sequence[int], rounds: int, seconds: float
) -> list[Measured]:
    """Return what each side measured over `rounds` turns of about `seconds` each, with its `images` a step."""
    with ExitStack() as stack:
        open_sides = [stack.enter_context(Side(options)) for options in sides]
        steps = []
        for side in open_sides:
            side.take(3)
            steps.append(max(1, round(seconds / (side.take(2)[0] / 2))))
        speeds: list[list[float]] = [[] for _ in sides]
        memory = [0 for _ in sides]
        for _ in range(rounds):
            for number, side in enumerate(open_sides):
                took, held = side.take(steps[number])
                speeds[number].append(images[number] * steps[number] / took)
                memory[number] = max(memory[number], held)
    return [Measured(each, held) for each, held in zip(speeds, memory, strict=True)]
