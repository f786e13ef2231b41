"""Batch norm over the batch of all processes."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganctl.processes.ranks import Ranks


class SyncedBatchNorm(_BatchNorm):
    """torch's batch norm, whose statistics in training are those of all `ranks`."""

    ranks = Ranks()

    def forward(self, input: Tensor) -> Tensor:
        """Return values [batch, channels, …], normalised."""
        return of_all_ranks(self, input) if self.training and self.ranks.world > 1 else super().forward(input)


class BatchNorm1d(SyncedBatchNorm, nn.BatchNorm1d):
    """Of [batch, channels] or [batch, channels, length]."""


class BatchNorm2d(SyncedBatchNorm, nn.BatchNorm2d):
    """Of maps [batch, channels, height, width]."""


OURS: dict[type[nn.Module], type[nn.Module]] = {nn.BatchNorm1d: BatchNorm1d, nn.BatchNorm2d: BatchNorm2d}


def synchronise(network: nn.Module, ranks: Ranks) -> None:
    """Let every batch norm of a network take its statistics over all ranks, torch's own ones in plugins, too."""
    for module in network.modules():
        if type(module) in OURS:
            module.__class__ = OURS[type(module)]
        if isinstance(module, SyncedBatchNorm):
            module.ranks = ranks


def of_all_ranks(norm: SyncedBatchNorm, values: Tensor) -> Tensor:
    """Return values [batch, channels, …] normalised by the batch of all ranks, and follow its statistics.

    Each rank has an equal part of the batch. torch's own synchronised batch norm needs CUDA, and has no second
    derivative, which R1 takes.
    """
    axes = [0, *range(2, values.dim())]
    exact = values.float() if values.dtype in (torch.bfloat16, torch.float16) else values
    mean, variance = norm.ranks.moments(exact, axes)
    if norm.track_running_stats:
        _follow(norm, mean.detach(), variance.detach(), norm.ranks.world * values.numel() // values.shape[1])
    shape = [1, -1, *[1] * (values.dim() - 2)]
    scale = (variance + norm.eps).rsqrt()
    if norm.affine:
        scale = scale * norm.weight
    normalised = (exact - mean.view(shape)) * scale.view(shape)
    if norm.affine:
        normalised = normalised + norm.bias.view(shape)
    return normalised.to(values.dtype)


def _follow(norm: _BatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    """Take the statistics of `count` values into the running ones, as torch does: those of a sample."""
    batches = cast(Tensor, norm.num_batches_tracked)
    batches += 1
    share = 1 / float(batches) if norm.momentum is None else norm.momentum
    for running, seen in (norm.running_mean, mean), (norm.running_var, variance * (count / (count - 1))):
        cast(Tensor, running).lerp_(seen.to(cast(Tensor, running).dtype), share)
