"""Evaluation on a CUDA device; run by scripts/gpu_check."""

from pathlib import Path

import pytest
import torch

from ganctl.metrics import METRICS, Numbers, Reference, of_store
from tests.conftest import Cli
from tests.metrics.measured import extractor, measured, metric, source

pytestmark = pytest.mark.gpu

SMALLER = {"kid": {"size": 100, "subsets": 5}, "inception_score": {"splits": 2}}


def numbers(device: str, cache: Path) -> Numbers:
    """What every metric of pictures says of two parts of the digits."""
    digits = source("digits")
    store = digits.load()
    around = Reference(digits, store, torch.device(device), str(cache))
    looks = extractor("classifier", steps=30, width=4).open(around)
    metrics = {name: metric(name, **SMALLER.get(name, {})) for name in METRICS if name != "mixture_modes"}
    return measured(metrics, looks, of_store(store, digits), of_store(store, digits, 600, 1))


def test_every_metric_finds_on_cuda_what_it_finds_on_the_cpu(tmp_path: Path) -> None:
    here, there = numbers("cpu", tmp_path), numbers("cuda", tmp_path)
    for key, values in here.items():
        assert there[key] == pytest.approx(values, rel=2e-3, abs=1e-4), key


def test_a_run_on_cuda_evaluates_on_the_way_and_keeps_its_best(workspace: Path, cli: Cli) -> None:
    words = ["evaluate.every=2", "evaluate.num=200", "metric/features=raw", "data.resolution=8", "name=run"]
    small = ["model.generator.width=4", "model.discriminator.width=4", "train.steps=4"]
    outcome = cli("train", "device=cuda", *words, *small)
    assert (outcome.code, outcome.err) == (0, "")
    assert "the best so far" in outcome.out
    assert cli("sample", "ckpt=outputs/run", "which=best", "device=cuda").code == 0
    evaluated = cli("evaluate", "ckpt=outputs/run", "metric/features=raw", "num=200", "device=cuda")
    assert (evaluated.code, evaluated.err) == (0, "")
