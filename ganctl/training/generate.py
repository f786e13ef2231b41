"""Drawing samples from a generator, outside the step."""

from functools import lru_cache

import torch
from torch import Tensor, nn

from ganctl import pictures
from ganctl.metrics import Samples
from ganctl.models import Model, Shape
from ganctl.runtime.device import Device
from ganctl.runtime.randomness import generator


@torch.no_grad()
def generate(network: nn.Module, latents: Tensor, device: Device, batch_size: int) -> Tensor:
    """Return the samples of latents [count, latent] in evaluation mode, [count, *shape], `batch_size` at once."""
    training = network.training
    network.eval()
    with device.autocast():
        samples = torch.cat([network(part) for part in latents.split(batch_size)])
    network.train(training)
    return samples.to(device.dtype)


def drawn(
    network: nn.Module, model: Model, shape: Shape, device: Device, count: int, seed: int, batch_size: int
) -> Samples:
    """Return `count` samples of a seed for a measurement, drawn where they are read, `batch_size` at once.

    Latents are drawn on the CPU and keyed by their batch's number, so that every device measures the same ones.
    """

    @lru_cache(maxsize=2)
    def batch(number: int) -> Tensor:
        source = generator(torch.device("cpu"), "evaluate", seed, number)
        latents = torch.randn(batch_size, model.latent, generator=source)
        samples = generate(network, latents.to(device.torch_device, device.dtype), device, batch_size)
        if len(shape) == 1:
            return samples.float().cpu()
        return torch.from_numpy(pictures.to_bytes(samples, model.picture_range))

    def read(start: int, stop: int) -> Tensor:
        rows = torch.cat([batch(number) for number in range(start // batch_size, (stop - 1) // batch_size + 1)])
        return rows[start % batch_size : start % batch_size + stop - start]

    return Samples(count, shape, read)
