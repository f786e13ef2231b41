"""What networks of layers are built of."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganctl.models.model import DiscriminatorSpec, Model
from ganctl.models.parts.batch_norm import BatchNorm1d, BatchNorm2d
from ganctl.models.parts.heads import Heads
from ganctl.registry import Spec

Norm = Literal["batch", "layer", "instance", "spectral", "none"]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu"]
Width = Annotated[int, Field(ge=1)]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": partial(nn.ReLU, inplace=True),
    "leaky_relu": partial(nn.LeakyReLU, 0.2, inplace=True),
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "linear": nn.Identity,
}
"""Non-linearities; leaky ReLU has slope 0.2 (Radford et al. 2016).

Both ReLUs overwrite their input, which saves memory: their gradients need the result alone.
"""

NORMS: dict[tuple[Norm, int], Callable[[int], nn.Module]] = {
    ("batch", 0): BatchNorm1d,
    ("batch", 1): BatchNorm1d,
    ("batch", 2): BatchNorm2d,
    ("layer", 0): nn.LayerNorm,
    ("layer", 1): partial(nn.GroupNorm, 1),
    ("layer", 2): partial(nn.GroupNorm, 1),
    ("instance", 1): partial(nn.InstanceNorm1d, affine=True),
    ("instance", 2): partial(nn.InstanceNorm2d, affine=True),
}
"""Normalisations by name and dimensions; layer norm of maps is taken over channels and positions."""


class Maxout(nn.Module):
    """Units that each take the largest of `pieces` linear maps (Goodfellow et al. 2013, equation 1)."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, values: Tensor) -> Tensor:
        """Return [batch, width] of values [batch, width × pieces]."""
        largest: Tensor = values.unflatten(1, (-1, self.pieces)).max(2).values
        return largest


def weighted(layer: nn.Module, norm: Norm, init_std: float | None) -> nn.Module:
    """Initialise a layer's weight by N(0, init_std²), its bias by 0, and wrap it if the norm is spectral.

    `init_std` None leaves torch's own initialisation. Spectral norm: Miyato et al. 2018, algorithm 1.
    """
    if init_std is not None:
        nn.init.normal_(layer.weight, 0.0, init_std)  # type: ignore[arg-type]
        if getattr(layer, "bias", None) is not None:
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return spectral_norm(layer) if norm == "spectral" else layer


def has_bias(norm: Norm) -> bool:
    """Return whether a layer before this normalisation needs a bias, which most norms would take out again."""
    return norm in ("spectral", "none")


class LayersSpec(Spec):
    """The hidden layers of a network."""

    dimensions: ClassVar[Literal[0, 1, 2]]
    """Of the layers' maps beside channels: 2 of images, 1 of sequences, 0 of dense layers."""

    norm: Norm
    activation: Activation
    dropout: Annotated[float, Field(ge=0, lt=1)]

    def nonlinearity(self) -> nn.Module:
        """Return what follows a layer's normalisation."""
        return ACTIVATIONS[self.activation]()

    def block(
        self,
        layer: nn.Module,
        width: int,
        init_std: float | None,
        norm: Norm | None = None,
        *,
        dropout: bool = True,
    ) -> list[nn.Module]:
        """Return a layer of `width` outputs, initialised, its normalisation (`norm`), non-linearity and dropout.

        Scales of the normalisation start at N(1, init_std²), shifts at 0.
        """
        norm = norm or self.norm
        modules = [weighted(layer, norm, init_std)]
        if (normalisation := NORMS.get((norm, self.dimensions))) is not None:
            modules.append(normalisation(width))
            if init_std is not None:
                nn.init.normal_(modules[-1].weight, 1.0, init_std)  # type: ignore[arg-type]
        modules.append(self.nonlinearity())
        return [*modules, nn.Dropout(self.dropout)] if dropout and self.dropout > 0 else modules


class LatentsAndClass(nn.Module):
    """Latents of so many columns and, beside them, what is learned of a label (Mirza and Osindero 2014).

    Without classes the latents alone. `width` is the number of columns of both.
    """

    def __init__(self, latents: int, classes: int, dimensions: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(classes, dimensions) if classes else None
        self.width = latents + (dimensions if classes else 0)

    def forward(self, latents: Tensor, labels: Tensor | None) -> Tensor:
        """Return [batch, width] of latents and labels, int64 [batch]."""
        if self.embedding is None:
            return latents
        assert labels is not None, "a conditional generator needs labels"
        return torch.cat([latents, self.embedding(labels).to(latents.dtype)], 1)


class JudgedLayersSpec(LayersSpec, DiscriminatorSpec):
    """The hidden layers of a discriminator."""


class LayeredModel(Model):
    """A model whose discriminator is a stack of layers with one norm.

    A conditional generator has an `embedding` of so many dimensions of the class beside the latents.
    """

    embedding: Width
    init_std: Annotated[float, Field(gt=0)] | None
    discriminator: JudgedLayersSpec

    def joined(self, classes: int) -> LatentsAndClass:
        """Return what joins latents and labels for the generator's first layer."""
        return LatentsAndClass(self.latents.width, classes, self.embedding)

    def heads(self, features: int, classes: int) -> Heads:
        """Return what else the discriminator tells of so many features."""
        spec = self.discriminator
        wrap = partial(weighted, norm=spec.norm, init_std=self.init_std)
        return Heads(features, classes, spec.condition, self.latents, wrap)

    @property
    def lipschitz(self) -> bool:
        """Whether every layer of the discriminator is spectrally normalised."""
        return self.discriminator.norm == "spectral"

    @property
    def mixes_samples(self) -> bool:
        """Whether the discriminator has batch norm."""
        return self.discriminator.norm == "batch"
