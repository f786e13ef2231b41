"""The share of what the processor can do that training steps reach."""

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from scripts.benchmarks import ours
from scripts.benchmarks.cases import CASES, MODES, random_pictures, words_of
from scripts.benchmarks.table import Column, Row, Table

Work = Callable[[], Any]
TIMES = 10


def operations(work: Work) -> int:
    """Return the floating-point operations of the matrix products and convolutions in a piece of work."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def seconds(work: Work, device: torch.device, times: int) -> list[float]:
    """Return how long each of some repetitions takes."""
    took = []
    for _ in range(times):
        started = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        took.append(time.perf_counter() - started)
    return took


def best_rate(dtype: torch.dtype, device: torch.device) -> float:
    """Return the best rate in operations/s of a matrix product and of a convolution of common sizes."""
    side = 8192 if device.type == "cuda" else 2048
    left, right = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    maps = torch.randn(128, 128, 16, 16, device=device).to(dtype, memory_format=torch.channels_last)
    weight = torch.randn(256, 128, 4, 4, device=device).to(dtype, memory_format=torch.channels_last)
    works: list[Work] = [lambda: left @ right, lambda: torch.conv2d(maps, weight, None, 2, 1)]
    return max(operations(work) / min(seconds(work, device, TIMES)) for work in works)


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Count and time a step of each case in each mode."""
    if options.threads:
        torch.set_num_threads(options.threads)
    rates: dict[torch.dtype, float] = {}
    for name in options.cases:
        case = CASES[name]
        if case.kind != "step":
            continue
        for mode in MODES:
            with random_pictures(case.rgb) as rgb:
                words = words_of(case, mode, mnist=options.mnist, device=options.device, rgb=rgb)
                config, device, store = ours.opened([*words, *options.words])
                step = ours.bare(config, device, store)
            for _ in range(3):
                step()
            count, took = operations(step), sorted(seconds(step, device.torch_device, TIMES))[TIMES // 2]
            if device.dtype not in rates:
                rates[device.dtype] = best_rate(device.dtype, device.torch_device)
            rate, best = count / took, rates[device.dtype]
            batch = config.train.batch_size
            yield {
                "case": case.name,
                "batch": batch,
                "precision": device.precision,
                "rate": rate / 1e9,
                "best": best / 1e9,
                "share": rate / best,
            }


TABLE = Table(
    "peak",
    "operations of matrix products and convolutions in a step, per second, and the best rate of one alone",
    (
        Column("case", "work", right=False),
        Column("batch", "batch"),
        Column("precision", "precision", right=False),
        Column("rate", "the step", "{:,.0f} GFLOP/s"),
        Column("best", "the best", "{:,.0f} GFLOP/s"),
        Column("share", "share", "{:.0%}"),
    ),
    rows,
)
