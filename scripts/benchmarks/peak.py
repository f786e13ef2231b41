"""The share of what the processor can do that training steps reach."""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from scripts.benchmarks import ours
from scripts.benchmarks.table import Column, Row, Table

Work = Callable[[], Any]
TIMES = 10
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32, "fp64": torch.float64}
"""What matrix products and convolutions are computed in, by precision."""


class Operations(TorchDispatchMode):
    """Counts the floating-point operations of matrix products and convolutions, also those of second gradients.

    `calls` are those of all operators.
    """

    total = 0
    calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Let an operator do its work, and add what torch says it takes."""
        result = func(*args, **(kwargs or {}))
        self.calls += 1
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            found = count(*args, **(kwargs or {}), out_val=result)
            self.total += found // (args[9] if _of_grouped_weight(func, args) else 1)
        return result


def _of_grouped_weight(func: Any, args: Any) -> bool:
    """Return whether an operator is the gradient of a convolution's weight alone, which torch counts ungrouped."""
    return func.overloadpacket is torch.ops.aten.convolution_backward and list(args[10][:2]) == [False, True]


def operations(work: Work) -> int:
    """Return the floating-point operations of the matrix products and convolutions in a piece of work."""
    counted = Operations()
    with counted:
        work()
    return counted.total


def seconds(work: Work, device: torch.device, times: int) -> list[float]:
    """Return how long each of some repetitions takes; on CUDA, their mean, since they are asked for ahead."""
    took = []
    rounds, at_once = (1, times) if device.type == "cuda" else (times, 1)
    for _ in range(rounds):
        wait_for(device)
        started = time.perf_counter()
        for _ in range(at_once):
            work()
        wait_for(device)
        took.append((time.perf_counter() - started) / at_once)
    return took


def wait_for(device: torch.device) -> None:
    """Wait until a device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


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
    for case, _mode, config, device, store in ours.each(options):
        count = operations(ours.bare(ours.without_graphs(config), device, store))  # a replay shows no operators
        step = ours.bare(config, device, store)
        for _ in range(3):
            step()
        took = statistics.median(seconds(step, device.torch_device, TIMES))
        dtype = DTYPES[device.precision]
        if dtype not in rates:
            rates[dtype] = best_rate(dtype, device.torch_device)
        rate, best = count / took, rates[dtype]
        yield {
            "case": case.name,
            "batch": config.train.batch_size,
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
