"""Small generators of every model, untrained; their batch norms have seen something, and their noise is heard."""

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ganctl.models import MODELS, StyledGenerator
from ganctl.models.parts.styles.modulation import ModulatedConv2d
from ganctl.samples import SampleSpace
from ganctl.uses.deployable import Deployable, Pixels
from tests.composed import composed

CLASSES = ("ant", "bee", "cat")
SMALL: dict[str, tuple[tuple[int, ...], str]] = {
    "biggan": ((1, 32, 32), "{width: 1}"),
    "conv1d": ((2, 16), "{width: 2, norm: batch}"),
    "dcgan": ((1, 8, 8), "{width: 2}"),
    "fastgan": ((1, 32, 32), "{width: 2}"),
    "mlp": ((3, 4, 5), "{hidden: [4], norm: batch}"),
    "r3gan": ((1, 8, 8), "{widths: [4], group_widths: [2], blocks: [1]}"),
    "resnet": ((1, 8, 8), "{width: 2}"),
    "stylegan2": ((1, 8, 8), "{width: 2, style: 4, mapping: 1}"),
    "unet": ((1, 32, 32), "{width: 1}"),
}
"""The shape of a sample, and what makes the generator small."""


@cache
def model_of(name: str, *words: str) -> Any:
    return MODELS[name].model_validate(
        composed(f"model={name}", "model.latent=5", f"model.generator={SMALL[name][1]}", *words)["model"]
    )


def deployable(
    name: str,
    *words: str,
    conditional: bool = False,
    shape: tuple[int, ...] | None = None,
    pixels: Pixels = "float",
) -> Deployable:
    """Return a generator whose weights, and the statistics of whose batch norms, are numbers of chance.

    Styles are truncated to half of their way from a mean.
    """
    model = model_of(name, *words, f"model.conditional={str(conditional).lower()}")
    space = model.space(SampleSpace.of_shape(shape or SMALL[name][0], classes=CLASSES))
    torch.manual_seed(0)
    network = model.build_generator(space).to(memory_format=torch.channels_last)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, ModulatedConv2d):
            nn.init.ones_(module.strength)
        if isinstance(module, StyledGenerator):
            module.mean_style.normal_()  # type: ignore[operator]
            module.truncation = 0.5
    return Deployable(network, model, space, pixels)


def inputs_of(generator: Deployable, count: int = 8) -> tuple[Tensor, ...]:
    """Return latents, and labels of all classes in turn where it has any."""
    latents = torch.randn(count, generator.model.latents.width, generator=torch.Generator().manual_seed(1))
    return (latents, torch.arange(count) % 3) if generator.space.classes else (latents,)
