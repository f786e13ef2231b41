"""Specs with the values of their files, and small sets to measure."""

from typing import Any

import torch
import yaml
from torch import Tensor

from ganctl.command_line.explain import config_folder
from ganctl.data.source import Source
from ganctl.data.sources import SOURCES
from ganctl.data.store import Store
from ganctl.metrics import (
    EXTRACTORS,
    METRICS,
    Comparison,
    Extractor,
    FeatureExtractor,
    Metric,
    Numbers,
    Reference,
    Samples,
    of_tensor,
)
from ganctl.metrics.statistics import Statistics, collect

CPU = torch.device("cpu")


def metric(name: str, **changes: Any) -> Metric:
    values = yaml.safe_load((config_folder() / f"metric/{name}.yaml").read_text())[name]
    return METRICS[name](**(values | changes))


def extractor(name: str, **changes: Any) -> FeatureExtractor:
    values = yaml.safe_load((config_folder() / f"metric/features/{name}.yaml").read_text())
    return EXTRACTORS[name](**(values | changes))


def source(name: str, **changes: Any) -> Source:
    values = yaml.safe_load((config_folder() / f"data/{name}.yaml").read_text())
    return SOURCES[name](**(values | changes))


def reference(which: Source, store: Store, cache: str = "auto") -> Reference:
    return Reference(which, store, CPU, cache)


def raw(samples: Tensor) -> Extractor:
    """The raw extractor for samples like these."""
    return extractor("raw").open(reference(source("digits"), Store(samples)))


def normal(count: int, dimension: int, seed: int, mean: float = 0.0, std: float = 1.0) -> Tensor:
    draw = torch.randn(count, dimension, generator=torch.Generator().manual_seed(seed))
    return mean + std * draw


def measured(
    metrics: dict[str, Metric], look: Extractor, real: Samples, generated: Samples, seed: int = 0
) -> Numbers:
    """The numbers of several metrics at once."""
    return Comparison(metrics, look, real).numbers(generated, seed)


def computed(
    which: Metric, real: Tensor | Samples, generated: Tensor | Samples, seed: int = 0
) -> dict[str, float]:
    """The numbers of one metric of two sets, in raw features."""
    real, generated = (each if isinstance(each, Samples) else of_tensor(each) for each in (real, generated))
    look = raw(real.first(1))
    which.check(real, generated, look)
    sides: list[Statistics] = [collect(each, look, which.needs) for each in (real, generated)]
    return which.compute(*sides, seed)
