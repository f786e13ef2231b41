"""Metrics opened for a run's data: for `ganctl evaluate`, and for a run while it trains."""

import math
from dataclasses import dataclass

from torch import nn

from ganctl.checkpoints.file import Score
from ganctl.config import TrainConfig
from ganctl.data.store import Store
from ganctl.game.sampling import at_once, drawn
from ganctl.metrics import Baseline, Comparison, Numbers, Reference, Samples, of_store
from ganctl.runtime.console import say
from ganctl.runtime.device import Device

SEED = 0
"""As by default in `ganctl evaluate`, which so finds the same numbers."""


@dataclass(frozen=True)
class Measured:
    """The numbers of one evaluation, and the one by which checkpoints are compared, if there is one and finite."""

    numbers: Numbers
    baseline: Baseline
    score: Score | None

    def describe(self) -> str:
        """Return every number in few words, each with that of real samples."""
        told = []
        for key, found in self.numbers.items():
            for name, value in found.items():
                lowest = self.baseline.numbers.get(key, {}).get(name)
                told.append(f"{name} {value:.4g}" + ("" if lowest is None else f" (real {lowest:.4g})"))
        return ", ".join(told)

    def scalars(self) -> dict[str, float]:
        """Return the numbers as they are logged: `evaluate/<metric>/<number>`, and `…/floor` for the baseline."""
        sides = (("", self.numbers), ("/floor", self.baseline.numbers))
        return {
            f"evaluate/{key}/{name}{end}": value
            for end, numbers in sides
            for key, found in numbers.items()
            for name, value in found.items()
        }


class Evaluation:
    """The metrics of a config, opened for a run's data: what is read of the real samples is collected once.

    Every evaluation of a seed draws the same latents, so that evaluating disturbs no other random number.

    Raises `ConfigError` or `DataError` where the metrics or the features have no meaning for the data.
    """

    def __init__(self, config: TrainConfig, store: Store, device: Device, cache: str = "auto") -> None:
        assert config.features is not None
        self._config = config
        self._space = config.model.space(store.space)
        self._device = device
        self.extractor = config.features.open(Reference(config.data, store, device.torch_device, cache))
        self.real = of_store(store, config.data)
        self._comparison = Comparison(config.metric, self.extractor, self.real, cache)
        self._baseline: Baseline | None = None
        choosing = (key for key, metric in config.metric.items() if metric.better is not None)
        self._best = config.evaluate.best or next(choosing, None)
        self._comparison.check(self._samples(nn.Identity(), SEED))

    def _samples(self, network: nn.Module, seed: int, batch_size: int | None = None) -> Samples:
        count, size = self._config.evaluate.num, batch_size or at_once(self._config)
        return drawn(network, self._config.model.latents, self._space, self._device, count, seed, size)

    def numbers(self, network: nn.Module, seed: int, batch_size: int | None = None) -> Numbers:
        """Return the numbers of a generator's samples, drawn where they are read, `batch_size` at once."""
        return self._comparison.numbers(self._samples(network, seed, batch_size), seed)

    def baseline(self, seed: int) -> Baseline:
        """Return the numbers of real samples; report which metrics have none, and why."""
        found = self._comparison.baseline(self._config.evaluate.num, seed)
        for line in found.left_out:
            say(f"not real vs real: {line}")
        return found

    def measure(self, network: nn.Module) -> Measured:
        """Return what the metrics find in samples of a generator while it trains."""
        numbers = self.numbers(network, SEED)
        if self._baseline is None:
            self._baseline = self.baseline(SEED)
        return Measured(numbers, self._baseline, self._score(numbers))

    def _score(self, numbers: Numbers) -> Score | None:
        if self._best is None:
            return None
        metric = self._config.metric[self._best]
        value = numbers[self._best][metric.value]
        if metric.better is None or not math.isfinite(value):
            return None
        features = self.extractor.describe()
        by = f"{self._best}.{metric.value} of {self._config.evaluate.num} samples by {features}: {metric!r}"
        return Score(by=by, value=value, better=metric.better)
