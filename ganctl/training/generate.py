"""Drawing samples from a generator, outside the step."""

import torch
from torch import Tensor, nn

from ganctl.runtime.device import Device


@torch.no_grad()
def generate(network: nn.Module, latents: Tensor, device: Device, batch_size: int) -> Tensor:
    """Return the samples of latents [count, latent] in evaluation mode, [count, *shape], `batch_size` at once."""
    training = network.training
    network.eval()
    with device.autocast():
        samples = torch.cat([network(part) for part in latents.split(batch_size)])
    network.train(training)
    return samples.to(device.dtype)
