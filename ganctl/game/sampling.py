"""Drawing samples from a generator, outside the step."""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn

from ganctl.config import TrainConfig
from ganctl.metrics import Samples
from ganctl.models.latents import LatentSpace
from ganctl.runtime.device import Device
from ganctl.runtime.randomness import generator
from ganctl.samples import SampleSpace


def generate(
    network: nn.Module, latents: Tensor, device: Device, batch_size: int, labels: Tensor | None = None
) -> Tensor:
    """Return the samples of latents [count, width] in evaluation mode, [count, *shape], `batch_size` at once.

    `labels`, int64 [count] on the device, are the classes that a conditional model is asked for.
    """
    return evaluated(network, network, device, batch_size, latents, labels)


@torch.no_grad()
def evaluated(
    network: nn.Module,
    function: Callable[..., Tensor],
    device: Device,
    batch_size: int,
    *inputs: Tensor | None,
) -> Tensor:
    """Return a function of inputs [count, …] that calls a network in evaluation mode, `batch_size` at once.

    Inputs that are None are left out.
    """
    training = network.training
    network.eval()
    with device.autocast():
        parts = zip(*(values.split(batch_size) for values in inputs if values is not None), strict=True)
        outputs = torch.cat([function(*part) for part in parts])
    network.train(training)
    return outputs.to(device.dtype)


LATENTS = 256
"""Latents that are drawn by one key: a constant, so that how many samples are computed at once changes none."""


def at_once(config: TrainConfig) -> int:
    """Return how many samples a machine that trains a config can surely compute in one forward for measuring."""
    return min(LATENTS, config.train.batch_size)


def drawn(
    network: nn.Module,
    latents: LatentSpace,
    space: SampleSpace,
    device: Device,
    count: int,
    seed: int,
    batch_size: int,
    labels: Tensor | None = None,
) -> Samples:
    """Return `count` samples of a seed for a measurement, drawn where they are read, `batch_size` at once.

    Latents are drawn on the CPU and keyed by their place, so that every device measures the same ones. `labels`,
    int64 [count], are the classes that a conditional model is asked for.
    """

    @lru_cache(maxsize=2)
    def block(number: int) -> Tensor:
        source = generator(torch.device("cpu"), "evaluate", seed, number)
        values = latents.draw((LATENTS,), source, torch.float32).to(device.torch_device, device.dtype)
        asked = None
        if labels is not None:
            asked = labels[number * LATENTS : (number + 1) * LATENTS].to(device.torch_device)
            values = values[: len(asked)]
        samples = generate(network, values, device, batch_size, asked)
        return space.kind.store(samples, space.value_range)

    def read(start: int, stop: int) -> Tensor:
        first = start // LATENTS
        rows = torch.cat([block(number) for number in range(first, (stop - 1) // LATENTS + 1)])
        return rows[start - first * LATENTS : stop - first * LATENTS]

    return Samples(count, space, read, labels=labels, classes=space.classes)
