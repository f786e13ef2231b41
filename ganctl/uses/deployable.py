"""A generator as other programs run it: one module from latents to images, without what only training needs."""

import copy
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from torch.nn.utils.parametrize import is_parametrized, type_before_parametrizations

from ganctl.models import Model
from ganctl.models.parts.batch_norm import BatchNorm1d, BatchNorm2d
from ganctl.models.parts.convolutions import Conv2d, ConvTranspose2d
from ganctl.samples import IMAGES, SampleSpace

Pixels = Literal["uint8", "float", "own"]
"""Of images: bytes as `ganctl sample` stores them, floats in [0, 1], or floats in the network's own range."""

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d, Conv2d, ConvTranspose2d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, BatchNorm1d, BatchNorm2d)
"""Classes that are folded; classes that inherit from these may compute something else."""


class Deployable(nn.Module):
    """A copy of a trained generator on the CPU, in fp32 and evaluation mode, and what becomes of its samples."""

    def __init__(self, network: nn.Module, model: Model, space: SampleSpace, pixels: Pixels = "uint8") -> None:
        super().__init__()
        self.network = copy.deepcopy(network).to("cpu", torch.float32).requires_grad_(False).eval()
        self.model, self.space, self.pixels = model, space, pixels

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return what is made of latents, float32 [batch, width], and labels, int64 [batch], if it has classes.

        Images are uint8 [batch, height, width, channels] or float32 [batch, channels, height, width]; unless they
        are the network's own, values beyond the range are cut off. Points are float32 [batch, dimensions],
        sequences float32 [batch, length, channels].
        """
        samples: Tensor = self.network(latents) if labels is None else self.network(latents, labels)
        if self.space.kind is not IMAGES or self.pixels == "uint8":
            return self.space.kind.store(samples, self.space.value_range)
        if self.pixels == "own":
            return samples
        low, high = self.space.value_range
        return ((samples - low) / (high - low)).clamp(0, 1)

    def output(self) -> str:
        """Return the type and the axes of what is returned, in words."""
        if self.space.kind is not IMAGES:
            return f"float32 [batch, {'dimensions' if self.space.kind.axes == 1 else 'length, channels'}]"
        if self.pixels == "uint8":
            return "uint8 [batch, height, width, channels]"
        return "float32 [batch, channels, height, width]"

    def value_range(self) -> tuple[float, float] | None:
        """Return black and white of the images that are returned, None for what is unscaled."""
        ranges = {"uint8": (0, 255), "float": (0, 1), "own": self.space.value_range}
        return ranges[self.pixels] if self.space.kind is IMAGES else None

    def plain(self) -> "Deployable":
        """Return a copy whose weights are what parametrizations such as spectral norm make of them, in rows."""
        copied = Deployable(self.network, self.model, self.space, self.pixels)
        for module in filter(is_parametrized, list(copied.network.modules())):
            _unwrap(module)
        copied.network.to(memory_format=torch.contiguous_format)
        return copied

    def folded(self) -> "Deployable":
        """Return a plain copy whose batch norms are folded into the layers that they directly follow.

        That is within an `nn.Sequential`. The outputs differ by rounding.
        """
        copied = self.plain()
        for module in list(copied.network.modules()):
            if type(module) is nn.Sequential:
                _fold(module)
        return copied


def _unwrap(module: nn.Module) -> None:
    """Give a parametrized module plain weights, of the values that they have now.

    Torch's `remove_parametrizations` would change the class of the module that this one is a copy of, too.
    """
    parametrizations: Any = module.parametrizations
    values = {name: getattr(module, name) for name in parametrizations}
    module.__class__ = type_before_parametrizations(module)
    del module.parametrizations
    for name, value in values.items():
        module.register_parameter(name, nn.Parameter(value, requires_grad=False))


def _fold(layers: nn.Sequential) -> None:
    """Fold each batch norm into the layer before it, where that can be, and leave an identity in its place."""
    for number, (layer, norm) in enumerate(pairwise(list(layers))):
        if (fused := _fused(layer, norm)) is not None:
            layers[number], layers[number + 1] = fused.requires_grad_(False), nn.Identity()


def _fused(layer: nn.Module, norm: nn.Module) -> nn.Module | None:
    """Return one layer for a layer and a batch norm with statistics after it; None for other modules."""
    if not isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d) or type(norm) not in NORMS:
        return None
    if norm.running_mean is None:
        return None
    if type(layer) is nn.Linear:
        return fuse_linear_bn_eval(layer, norm)
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and type(layer) in CONVOLUTIONS and layer.groups == 1:
        return fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.ConvTranspose2d))
    return None
