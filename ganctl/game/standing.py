"""Standing statistics: what a generator's batch norm expects, measured anew instead of carried along."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganctl.runtime.device import Device


@torch.no_grad()
def standing(network: nn.Module, batches: Iterable[tuple[Tensor, ...]], device: Device) -> None:
    """Give every batch norm the plain averages of a batch's means and variances over `batches`.

    Each batch is what the network is called with: latents, and labels if it is conditional. Everything but batch
    norm is in evaluation mode: spectral norm keeps its vectors. Without batch norm nothing is computed. (Brock et
    al. 2019, section 3.1 and appendix D.)
    """
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    training, momenta = network.training, [norm.momentum for norm in norms]
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for the average of all batches since
        norm.train()
    with device.autocast():
        for batch in batches:
            network(*batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.train(training)
