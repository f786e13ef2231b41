"""Metrics opened for a run's data: for `ganctl evaluate`, and for a run while it trains."""

import math
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ganctl.checkpoints.file import Score
from ganctl.config import TrainConfig
from ganctl.data.source import Source
from ganctl.data.store import Store
from ganctl.errors import ConfigError, counted
from ganctl.game.sampling import at_once, drawn
from ganctl.metrics import Baseline, Comparison, Numbers, Reference, Samples, of_store
from ganctl.runtime.console import say
from ganctl.runtime.device import Device
from ganctl.runtime.randomness import generator
from ganctl.samples import SampleSpace

SEED = 0
"""As by default in `ganctl evaluate`, which so finds the same numbers."""

NAMED = 8
"""Classes that a line names."""


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


@dataclass(frozen=True)
class OfClass:
    """The numbers of a class by itself for each seed, compared with its `count` real samples."""

    name: str
    count: int
    found: list[Numbers]
    baseline: Baseline | None


class Side(NamedTuple):
    """Samples of one side of a comparison, and where they are from."""

    source: Source
    store: Store


class Evaluation:
    """The metrics of a config, opened for a run's data: what is read of the real samples is collected once.

    Samples are compared with those of `real`, by default the data itself, which features are opened for. `space`
    is what the generator makes, by default samples as those of the data. Every evaluation of a seed draws the same
    latents, so that evaluating disturbs no other random number.

    Raises `ConfigError` or `DataError` where the metrics or the features have no meaning for the data.
    """

    def __init__(
        self,
        config: TrainConfig,
        store: Store,
        device: Device,
        cache: str = "auto",
        *,
        real: Side | None = None,
        space: SampleSpace | None = None,
    ) -> None:
        assert config.features is not None
        self._config = config
        self._store = store
        self._cache = cache
        self._label: int | None = None
        self._space = space or config.model.space(store.space)
        self._real = real or Side(config.data, store)
        self._device = device
        self.extractor = config.features.open(Reference(config.data, store, device.torch_device, cache))
        self.real = of_store(self._real.store, self._real.source)
        self._comparison = Comparison(config.metric, self.extractor, self.real, cache)
        self._baseline: Baseline | None = None
        choosing = (key for key, metric in config.metric.items() if metric.better is not None)
        self._best = config.evaluate.best or next(choosing, None)
        self._comparison.check(self._samples(nn.Identity(), SEED))

    def _samples(self, network: nn.Module, seed: int, batch_size: int | None = None) -> Samples:
        count, size = self._config.evaluate.num, batch_size or at_once(self._config)
        latents, labels = self._config.model.latents, self._labels(count, seed)
        found = drawn(network, latents, self._space, self._device, count, seed, size, labels)
        known = self._space.classes == self._real.store.classes
        return found if known else replace(found, labels=None, classes=())

    def _labels(self, count: int, seed: int) -> Tensor | None:
        """Return the classes that a conditional model is asked for, int64 [count], a function of the seed.

        They are as frequent as in training: as in the data, or equally under `data.balance`; or where the data has
        other classes.
        """
        if not self._space.classes:
            return None
        if self._label is not None:
            return torch.full((count,), self._label)
        if self._store.labels is None or self._store.classes != self._space.classes:
            pool = torch.arange(len(self._space.classes))
        else:
            pool = self._store.labels.unique() if self._config.data.balanced else self._store.labels
        source = generator(torch.device("cpu"), "evaluate", seed, "labels")
        return pool[torch.randint(len(pool), (count,), generator=source)]

    def numbers(self, network: nn.Module, seed: int, batch_size: int | None = None) -> Numbers:
        """Return the numbers of a generator's samples, drawn where they are read, `batch_size` at once."""
        return self._comparison.numbers(self._samples(network, seed, batch_size), seed)

    def baseline(self, seed: int) -> Baseline:
        """Return the numbers of real samples; report which metrics have none, and why."""
        found = self._comparison.baseline(self._config.evaluate.num, seed)
        for line in found.left_out:
            say(f"not real vs real: {line}")
        return found

    def by_class(
        self, network: nn.Module, seeds: Sequence[int], batch_size: int | None, *, floor: bool
    ) -> Iterator[OfClass]:
        """Yield every metric of each class by itself; at last report which classes have too few real samples.

        The model must be conditional. The baseline, with the first seed, is left out without `floor`.
        """
        unmeasured: dict[str, list[tuple[str, str]]] = {}
        for label, name in enumerate(self._space.classes):
            one = self._of_class(label)
            possible = {}
            for key, metric in self._config.metric.items():
                try:
                    metric.check(one.real, one._samples(network, seeds[0]), self.extractor)
                    possible[key] = metric
                except ConfigError as error:
                    unmeasured.setdefault(f"{key} of", []).append((name, str(error)))
            one._comparison = Comparison(possible, self.extractor, one.real, self._cache)
            found = [one.numbers(network, seed, batch_size) for seed in seeds]
            baseline = one._comparison.baseline(self._config.evaluate.num, seeds[0]) if floor else None
            for line in baseline.left_out if baseline is not None else ():
                unmeasured.setdefault("real vs real in", []).append((name, line))
            yield OfClass(name, one.real.count, found, baseline)
        for what, classes in unmeasured.items():
            names = ", ".join(name for name, _ in classes[:NAMED]) + (", …" if len(classes) > NAMED else "")
            say(f"no {what} {counted(len(classes), 'class')} ({names}): {classes[0][1]}")

    def _of_class(self, label: int) -> "Evaluation":
        one = copy(self)
        one._label = label
        one.real = of_store(self._real.store, self._real.source, label=label)
        return one

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
