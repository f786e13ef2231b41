"""What the experiments for GPUs cost, by arithmetic from operations and bytes that are counted on this CPU."""

import argparse
import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from ganctl.config import train_config
from ganctl.game.build import build_game, open_configured
from ganctl.game.step import train_step
from scripts.benchmarks.peak import Operations
from scripts.benchmarks.table import Column, Row, Table
from scripts.golden import stand_in
from scripts.tables.runs import composed

EXPERIMENTS = (
    "acgan_cifar10",
    "sngan_cifar10",
    "biggan_cifar10",
    "sagan",
    "stylegan2_ada_cifar10",
    "stylegan2_ada_folder",
    "r3gan_cifar10",
    "r3gan_ffhq64",
)
BATCH = 4
"""Images that are counted; both counts are proportional to them."""

RATE = 312e12 / 4
"""Operations a second: a quarter of what an A100 does in bf16 (its data sheet), which is an assumption."""

LAUNCH = 10e-6
"""Seconds that PyTorch takes to ask a card for an operator, an assumption: the least that an operator takes."""

COPIES = 4
"""Numbers a weight in training: itself, its gradient, Adam's two means."""


class Held:
    """The most bytes that graphs hold at once for their gradients, weights not counted."""

    def __init__(self) -> None:
        self.most = self._bytes = 0
        self._holders: Counter[int] = Counter()

    def hooks(self) -> saved_tensors_hooks:
        """Return the context in which graphs are watched."""

        def pack(tensor: Tensor) -> Any:
            if isinstance(tensor, nn.Parameter):
                return tensor
            storage = tensor.untyped_storage()
            self._hold(storage.data_ptr(), storage.nbytes())
            box = [tensor]
            holder = _Box(box)
            weakref.finalize(holder, self._release, storage.data_ptr(), storage.nbytes())
            return holder

        return saved_tensors_hooks(pack, lambda kept: kept.box[0] if isinstance(kept, _Box) else kept)

    def _hold(self, place: int, size: int) -> None:
        if self._holders[place] == 0:
            self._bytes += size
            self.most = max(self.most, self._bytes)
        self._holders[place] += 1

    def _release(self, place: int, size: int) -> None:
        self._holders[place] -= 1
        if self._holders[place] == 0:
            self._bytes -= size


class _Box:
    """A saved tensor, which a graph lets go with this."""

    def __init__(self, box: list[Tensor]) -> None:
        self.box = box


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Take one step of each experiment with few images, and compute what its whole batch costs on a GPU."""
    torch.set_num_threads(options.threads or torch.get_num_threads())
    for experiment in EXPERIMENTS:
        words = [f"experiment={experiment}", "device=cpu", "device.precision=fp32", *options.words]
        if experiment in ("sagan", "stylegan2_ada_folder", "r3gan_ffhq64"):
            words.append("data.path=images")
        whole = train_config(composed(["train", *words]))
        few = whole.model_copy(update={"train": whole.train.model_copy(update={"batch_size": BATCH})})
        game = build_game(few, stand_in(few), open_configured(few.device, few.data.kind))
        held, counted = Held(), Operations()
        with held.hooks(), counted:
            train_step(game, 0)
        weights = sum(
            weight.numel()
            for player in (game.generator, game.discriminator)
            for weight in player.network.parameters()
        )
        share, steps = whole.train.batch_size / BATCH, whole.train.steps
        seconds = max(counted.total * share / RATE, counted.calls * LAUNCH)
        yield {
            "experiment": experiment,
            "weights": weights / 1e6,
            "step": counted.total * share / 1e12,
            "calls": counted.calls,
            "hours": seconds * steps / 3600,
            "memory": (4 * COPIES * weights + held.most * share) / 2**30,
        }


TABLE = Table(
    "cost",
    "experiments for GPUs: hours on an A100, memory in fp32, by arithmetic",
    (
        Column("experiment", "experiment", right=False),
        Column("weights", "weights", "{:,.1f} M"),
        Column("step", "a step", "{:,.2f} TFLOP"),
        Column("calls", "operators a step", "{:,}"),
        Column("hours", "time", "{:,.1f} h"),
        Column("memory", "memory", "{:,.1f} GiB"),
    ),
    rows,
)
