"""What networks of layers are built of."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganctl.models.model import Model
from ganctl.registry import Spec

Norm = Literal["batch", "layer", "instance", "spectral", "none"]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu"]
Width = Annotated[int, Field(ge=1)]
Dropout = Annotated[float, Field(ge=0, lt=1)]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def activation(name: Activation | Literal["tanh", "sigmoid"]) -> nn.Module:
    """Return a non-linearity by name; leaky ReLU has slope 0.2 (Radford et al. 2016).

    Both ReLUs overwrite what they are given, which spares memory and its traffic: their gradients need the result
    alone.
    """
    if name == "leaky_relu":
        return nn.LeakyReLU(0.2, inplace=True)
    return nn.ReLU(inplace=True) if name == "relu" else ACTIVATIONS[name]()


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
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return spectral_norm(layer) if norm == "spectral" else layer


def has_bias(norm: Norm) -> bool:
    """Return whether a layer before this normalisation needs a bias, which most norms would take out again."""
    return norm in ("spectral", "none")


class LayersSpec(Spec):
    """The hidden layers of a network."""

    dimensions: ClassVar[Literal[1, 2]]
    """2 for convolutions, 1 for dense layers."""

    norm: Norm
    activation: Activation
    dropout: Dropout

    def nonlinearity(self) -> nn.Module:
        """Return what follows a layer's normalisation."""
        return activation(self.activation)

    def block(
        self, layer: nn.Module, width: int, init_std: float | None, norm: Norm | None = None
    ) -> list[nn.Module]:
        """Return a layer of `width` outputs, initialised, with its normalisation (`norm`) and non-linearity."""
        norm = norm or self.norm
        return [weighted(layer, norm, init_std), *self._normalised(norm, width, init_std), self.nonlinearity()]

    def dropped(self) -> list[nn.Module]:
        """Return dropout as a list of none or one module."""
        return [nn.Dropout(self.dropout)] if self.dropout > 0 else []

    def _normalised(self, norm: Norm, width: int, init_std: float | None) -> list[nn.Module]:
        """Return the normalisation as a list of none or one module; scales start at N(1, init_std²), shifts at 0.

        Layer norm of images is taken over channels and pixels.
        """
        images = self.dimensions == 2
        module: nn.Module
        if norm == "batch":
            module = nn.BatchNorm2d(width) if images else nn.BatchNorm1d(width)
        elif norm == "layer":
            module = nn.GroupNorm(1, width) if images else nn.LayerNorm(width)
        elif norm == "instance":
            module = nn.InstanceNorm2d(width, affine=True)
        else:
            return []
        if init_std is not None:
            nn.init.normal_(module.weight, 1.0, init_std)
        return [module]


class LayeredModel(Model):
    """A model whose discriminator is a stack of layers with one norm."""

    discriminator: LayersSpec

    @property
    def lipschitz(self) -> bool:
        """Whether every layer of the discriminator is spectrally normalised."""
        return self.discriminator.norm == "spectral"

    @property
    def mixes_samples(self) -> bool:
        """Whether the discriminator has batch norm."""
        return self.discriminator.norm == "batch"
