"""The processes that train one run together, one unless torch has a process group."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor, distributed

from ganctl.runtime.console import silenced

BUCKET = 25 << 20
"""Bytes of gradients that travel at once, as in torch's own wrapper."""


@dataclass(frozen=True)
class Ranks:
    """This process, number `rank` of `world`, counted from 0. What it computes with others is called by all."""

    rank: int = 0
    world: int = 1

    @classmethod
    def here(cls) -> "Ranks":
        """Return those of the process group; rank 0 of 1 where there is none."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this process writes what the run leaves and prints what people see."""
        return self.rank == 0

    def speaking(self) -> AbstractContextManager[None]:
        """Return a context in which all but the first rank are silent."""
        return nullcontext() if self.first else silenced()

    def average(self, gradients: Iterable[Tensor]) -> None:
        """Replace tensors by their means over all ranks, in place, many at a time."""
        if self.world > 1:
            for bucket in _buckets(list(gradients)):
                flat = torch.cat([gradient.flatten() for gradient in bucket])
                distributed.all_reduce(flat)
                flat /= self.world
                for gradient, mean in zip(bucket, flat.split([each.numel() for each in bucket]), strict=True):
                    gradient.copy_(mean.view_as(gradient))

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of a tensor over all ranks; gradients of any order flow back to all of them."""
        return value if self.world == 1 else _Sum.apply(value)

    def mean(self, value: Tensor) -> Tensor:
        """Return the mean of a tensor over all ranks; gradients of any order flow back to all of them."""
        return value if self.world == 1 else self.sum(value) / self.world

    def stacked(self, value: Tensor) -> Tensor:
        """Return a tensor of each rank, [world, …], with gradients as of `sum`."""
        if self.world == 1:
            return value[None]
        own = torch.arange(self.world, device=value.device) == self.rank
        return self.sum(own.view(-1, *[1] * value.dim()) * value)

    def moments(self, values: Tensor, axes: list[int]) -> tuple[Tensor, Tensor]:
        """Return mean and variance (of a population) over axes and all ranks, with gradients as of `sum`."""
        own = torch.stack([values.mean(axes), values.var(axes, correction=0)])
        means, variances = self.stacked(own).unbind(1)
        return means.mean(0), variances.mean(0) + means.var(0, correction=0)

    def deviation(self, values: Tensor) -> Tensor:
        """Return the standard deviation (of a sample) of all values of all ranks."""
        if self.world == 1:
            return values.std()
        count = self.world * values.numel()
        return (self.moments(values, [*range(values.dim())])[1] * count / (count - 1)).sqrt()

    def largest(self, numbers: Sequence[int]) -> list[int]:
        """Return the largest of all ranks at each place of some numbers; travels between CPUs."""
        if self.world == 1:
            return list(numbers)
        values = torch.tensor(numbers, dtype=torch.int64)
        distributed.all_reduce(values, distributed.ReduceOp.MAX)
        return [int(value) for value in values]

    def texts(self, text: str) -> list[str]:
        """Return a text of each rank."""
        told: list[str | None] = [text] * self.world
        if self.world > 1:
            distributed.all_gather_object(told, text)
        return [each or "" for each in told]

    def from_first(self, number: float) -> float:
        """Return a number of the first rank."""
        if self.world == 1:
            return number
        value = torch.tensor(number, dtype=torch.float64)
        distributed.broadcast(value, 0)
        return float(value)


class _Sum(torch.autograd.Function):
    """The sum over all ranks, whose gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: object, value: Tensor) -> Tensor:
        total = value.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        return _Sum.apply(gradients[0])  # type: ignore[no-any-return]


def _buckets(tensors: list[Tensor]) -> Iterable[list[Tensor]]:
    """Yield tensors of one type that hold `BUCKET` bytes together, or one that holds more."""
    for _, group in groupby(tensors, lambda tensor: tensor.dtype):
        bucket: list[Tensor] = []
        for tensor in group:
            if bucket and sum(each.nbytes for each in bucket) + tensor.nbytes > BUCKET:
                yield bucket
                bucket = []
            bucket.append(tensor)
        yield bucket
