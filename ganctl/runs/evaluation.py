"""The measuring of samples while a run trains, by the layers that `ganctl evaluate` uses."""

import math
from dataclasses import dataclass

from torch import nn

from ganctl.checkpoints.file import Score
from ganctl.config import TrainConfig
from ganctl.data.store import Store
from ganctl.game.sampling import at_once, drawn
from ganctl.metrics import Baseline, Comparison, Numbers, Reference, of_store
from ganctl.runtime.console import say
from ganctl.runtime.device import Device

SEED = 0
"""As by default in `ganctl evaluate`, which so finds the same numbers."""


@dataclass(frozen=True)
class Measured:
    """The numbers of one evaluation, and the one by which checkpoints are compared, if there is one and finite."""

    numbers: Numbers
    floor: Baseline
    score: Score | None

    def describe(self) -> str:
        """Return every number in few words, each with its real-vs-real baseline."""
        told = []
        for key, found in self.numbers.items():
            for name, value in found.items():
                lowest = self.floor.numbers.get(key, {}).get(name)
                told.append(f"{name} {value:.4g}" + ("" if lowest is None else f" (real {lowest:.4g})"))
        return ", ".join(told)

    def scalars(self) -> dict[str, float]:
        """Return the numbers as they are logged: `evaluate/<metric>/<number>`, and `…/floor` for the baseline."""
        sides = (("", self.numbers), ("/floor", self.floor.numbers))
        return {
            f"evaluate/{key}/{name}{end}": value
            for end, numbers in sides
            for key, found in numbers.items()
            for name, value in found.items()
        }


class Evaluation:
    """The metrics of a run, opened for its data; statistics of real samples are computed once and kept.

    Every evaluation draws the same latents, so that evaluating disturbs no other random number.

    Raises `ConfigError` or `DataError` where the metrics or the features have no meaning for the data.
    """

    def __init__(self, config: TrainConfig, store: Store, device: Device) -> None:
        assert config.features is not None
        self._config = config
        self._device = device
        self._space = config.model.space(store.space)
        self._extractor = config.features.open(Reference(config.data, store, device.torch_device, "auto"))
        real = of_store(store, config.data)
        self._comparison = Comparison(config.metric, self._extractor, real, "auto")
        self._floor: Baseline | None = None
        choosing = (key for key, metric in config.metric.items() if metric.better is not None)
        self._best = config.evaluate.best or next(choosing, None)
        counted = drawn(nn.Identity(), config.model.latent, self._space, device, config.evaluate.num, SEED, 1)
        self._comparison.check(counted)

    def measure(self, network: nn.Module) -> Measured:
        """Return what the metrics find in samples of a generator."""
        config = self._config
        generated = drawn(
            network, config.model.latent, self._space, self._device, config.evaluate.num, SEED, at_once(config)
        )
        numbers = self._comparison.numbers(generated, SEED)
        if self._floor is None:
            self._floor = self._comparison.baseline(config.evaluate.num, SEED)
            for line in self._floor.left_out:
                say(f"not real vs real: {line}")
        return Measured(numbers, self._floor, self._score(numbers))

    def _score(self, numbers: Numbers) -> Score | None:
        if self._best is None:
            return None
        metric = self._config.metric[self._best]
        value = numbers[self._best][metric.value]
        if metric.better is None or not math.isfinite(value):
            return None
        by = (
            f"{self._best}.{metric.value} of {self._config.evaluate.num} samples by {self._extractor.describe()}: "
            f"{metric!r}"
        )
        return Score(by=by, value=value, better=metric.better)
