"""Convolutional networks for sequences: DCGAN (Radford, Metz and Chintala 2016) in one dimension."""

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from ganctl.errors import ConfigError
from ganctl.models.layers import ACTIVATIONS, JudgedLayersSpec, LayeredModel, LayersSpec, Width, has_bias, weighted
from ganctl.models.model import MODELS, Discriminator, Generator, GeneratorSpec
from ganctl.samples import SampleSpace

SHORTEST, LONGEST = 8, 4096
"""Values of a sequence, which are a multiple of `MULTIPLE`."""

MULTIPLE = 4
LONGEST_BASE = 7
"""A length is halved while it is even and above this."""


class Convolutions1dSpec(LayersSpec):
    """Convolutions of either network."""

    dimensions = 1
    width: Width
    max_width: Width
    kernel: Literal[4, 8, 16]


class Conv1dGeneratorSpec(Convolutions1dSpec, GeneratorSpec):
    """The generator's transposed convolutions and output."""


class Conv1dDiscriminatorSpec(Convolutions1dSpec, JudgedLayersSpec):
    """The discriminator's convolutions."""


def halved(space: SampleSpace) -> tuple[int, int]:
    """Return how often the length of sequences is halved, and to what; raise `ConfigError` if it cannot be."""
    space.require_sequences("model: conv1d makes sequences", "take model=mlp, or model=dcgan for images")
    base, halvings = space.shape[1], 0
    if base % MULTIPLE or not SHORTEST <= base <= LONGEST:
        near = sorted({min(max(side, SHORTEST), LONGEST) for side in (base // 4 * 4, base // 4 * 4 + 4)})
        raise ConfigError(
            f"model: conv1d makes sequences of {SHORTEST} to {LONGEST:,} values, in steps of {MULTIPLE}, not of "
            f"{base:,}; cut or pad them to {' or '.join(f'{side:,}' for side in near)}, or take model=mlp"
        )
    while base % 2 == 0 and base > LONGEST_BASE:
        base, halvings = base // 2, halvings + 1
    return halvings, base


def _widths(spec: Convolutions1dSpec, halvings: int) -> list[int]:
    return [min(spec.width << level, spec.max_width) for level in range(halvings)]


class Conv1dGenerator(Generator):
    """Projects latents to a short base and doubles its length by transposed convolutions."""

    def __init__(self, model: "Conv1d", space: SampleSpace) -> None:
        super().__init__()
        spec, std = model.generator, model.init_std
        halvings, base = halved(space)
        widths = [*reversed(_widths(spec, halvings)), space.shape[0]]
        self.joined = model.joined(len(space.classes))
        projection = nn.ConvTranspose1d(self.joined.width, widths[0], base, bias=has_bias(spec.norm))
        self.project = nn.Sequential(*spec.block(projection, widths[0], std, dropout=False))
        doublings: list[nn.Module] = []
        for inputs, outputs in pairwise(widths[:-1]):
            doublings += spec.block(_transposed(spec, inputs, outputs, bias=has_bias(spec.norm)), outputs, std)
        last = weighted(_transposed(spec, *widths[-2:], bias=True), spec.norm, std)
        self.doublings = nn.Sequential(*doublings, last)
        self.output = ACTIVATIONS[spec.output]()

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return sequences [batch, channels, length]."""
        inputs = self.joined(latents, labels)[:, :, None]
        sequences: Tensor = self.output(self.doublings(self.project(inputs)))
        return sequences


def _transposed(spec: Convolutions1dSpec, inputs: int, outputs: int, *, bias: bool) -> nn.ConvTranspose1d:
    return nn.ConvTranspose1d(inputs, outputs, spec.kernel, 2, padding=spec.kernel // 2 - 1, bias=bias)


class Conv1dDiscriminator(Discriminator):
    """Halves sequences by strided convolutions down to the base, of which one last convolution makes a logit."""

    def __init__(self, model: "Conv1d", space: SampleSpace) -> None:
        super().__init__()
        spec, std = model.discriminator, model.init_std
        halvings, base = halved(space)
        channels = space.shape[0]
        layers: list[nn.Module] = []
        for level, width in enumerate(_widths(spec, halvings)):
            # As in DCGAN: the first layer sees values, whose mean and scale batch norm would take away.
            norm = spec.norm if level > 0 or spec.norm == "spectral" else "none"
            padding = spec.kernel // 2 - 1
            convolution = nn.Conv1d(channels, width, spec.kernel, 2, padding, bias=has_bias(norm))
            layers += spec.block(convolution, width, std, norm)
            channels = width
        self.halvings = nn.Sequential(*layers)
        self.judge = weighted(nn.Conv1d(channels, 1, base), spec.norm, std)
        self.heads = model.heads(channels * base, len(space.classes))

    def features(self, samples: Tensor) -> Tensor:
        """Return the last halving's channels, [batch, channels, base]."""
        features: Tensor = self.halvings(samples)
        return features

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [batch]."""
        logits: Tensor = self.judge(features)
        return self.heads.conditioned(logits.flatten(), features, labels)


@MODELS.register
class Conv1d(LayeredModel):
    """DCGAN for sequences of 8 to 4,096 values, a multiple of 4."""

    networks = (Conv1dGenerator, Conv1dDiscriminator)
    name: Literal["conv1d"]
    generator: Conv1dGeneratorSpec
    discriminator: Conv1dDiscriminatorSpec
