"""Where the time of a run goes: its steps, its images, its checkpoints."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Measures the speed of steps alone, and apart from them the time in s that other work took, by its name.

    `settle` waits until the device has done the steps that were asked of it.
    """

    def __init__(self, step: int, settle: Callable[[], None]) -> None:
        self._settle = settle
        self.apart: dict[str, float] = {}
        self._started = self._since = time.perf_counter()
        self._step = step
        self._waited = 0.0

    def seconds(self) -> dict[str, float]:
        """Return the time since the start in s by what it went into, steps and the rest."""
        total = time.perf_counter() - self._started
        return {"steps": total - sum(self.apart.values())} | self.apart

    def rates(self, step: int, waited: float) -> tuple[float, float]:
        """Return steps a second since the last call, and the share of that time that was waited.

        `waited` is the sum so far in s.
        """
        now = time.perf_counter()
        spent = now - self._since
        found = (step - self._step) / spent, min(1.0, (waited - self._waited) / spent)
        self._since, self._step, self._waited = now, step, waited
        return found

    def go_back(self, step: int) -> None:
        """Let the next rates begin here, at an earlier step whose batches have not been waited for yet."""
        self._since, self._step, self._waited = time.perf_counter(), step, 0.0

    @contextmanager
    def paused(self, work: str) -> Iterator[None]:
        """Count the time within the block for other work."""
        self._settle()
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - start
            self._since += spent
            self.apart[work] = self.apart.get(work, 0.0) + spent
