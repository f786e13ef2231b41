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

    def share(self, waited: float) -> float:
        """Return which share of the time since the last `rate` was waited; `waited` is the sum so far in s."""
        share = (waited - self._waited) / (time.perf_counter() - self._since)
        self._waited = waited
        return min(1.0, share)

    def rate(self, step: int, images_per_step: int) -> float:
        """Return images a second since the last call."""
        now = time.perf_counter()
        images = (step - self._step) * images_per_step
        speed = images / (now - self._since)
        self._since, self._step = now, step
        return speed

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
