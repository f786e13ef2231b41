"""Deep convolutional networks (Radford, Metz and Chintala 2016), for sides that halve down to a few pixels."""

import math
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from ganctl.models.layers import ACTIVATIONS, JudgedLayersSpec, LayeredModel, LayersSpec, Width, has_bias, weighted
from ganctl.models.model import MODELS, Discriminator, Generator, GeneratorSpec
from ganctl.models.parts.convolutions import Conv2d, ConvTranspose2d
from ganctl.models.parts.sizes import base_of
from ganctl.samples import SampleSpace

BASE_KERNEL = 5


class ConvolutionsSpec(LayersSpec):
    """Convolutions of either network."""

    dimensions = 2
    width: Width
    max_width: Width
    kernel: Literal[4, 5]


class DcganGeneratorSpec(ConvolutionsSpec, GeneratorSpec):
    """The generator's transposed convolutions and output; `base_layers` of size 5 keep the base's side."""

    base_layers: Annotated[int, Field(ge=0, le=16)]


class DcganDiscriminatorSpec(ConvolutionsSpec, JudgedLayersSpec):
    """The discriminator's convolutions."""


def _widths(spec: ConvolutionsSpec, halvings: int) -> list[int]:
    return [min(spec.width << level, spec.max_width) for level in range(halvings)]


def _transposed(inputs: int, outputs: int, kernel: int, stride: int, *, bias: bool) -> ConvTranspose2d:
    """Return a transposed convolution to `stride` times the side."""
    odd = kernel % 2
    return ConvTranspose2d(
        inputs, outputs, kernel, stride, padding=1 + odd, output_padding=stride - 2 + odd, bias=bias
    )


class DcganGenerator(Generator):
    """Projects latents to a base of 4–7 pixels and doubles it by transposed convolutions."""

    def __init__(self, model: "Dcgan", space: SampleSpace) -> None:
        super().__init__()
        spec, std = model.generator, model.init_std
        halvings, base = base_of(space, "dcgan")
        channels = space.shape[0]
        widths = [*reversed(_widths(spec, halvings)), channels]
        bias = has_bias(spec.norm)
        self.joined = model.joined(len(space.classes))
        projection = ConvTranspose2d(self.joined.width, widths[0], base, bias=bias)
        self.project = nn.Sequential(*spec.block(projection, widths[0], std, dropout=False))
        doublings: list[nn.Module] = []
        hidden = [widths[0]] * spec.base_layers + widths[:-1]
        for level, (inputs, outputs) in enumerate(pairwise(hidden)):
            stride = 1 if level < spec.base_layers else 2
            layer = _transposed(inputs, outputs, spec.kernel if stride == 2 else BASE_KERNEL, stride, bias=bias)
            doublings += spec.block(layer, outputs, std)
        last = weighted(_transposed(widths[-2], channels, spec.kernel, 2, bias=True), spec.norm, std)
        self.doublings = nn.Sequential(*doublings, last)
        self.output = ACTIVATIONS[spec.output]()

    def forward(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images [batch, channels, height, width]."""
        inputs = self.joined(latents, labels)[:, :, None, None]
        images: Tensor = self.output(self.doublings(self.project(inputs)))
        return images


class DcganDiscriminator(Discriminator):
    """Halves images by strided convolutions down to the base, of which one last convolution makes a logit."""

    def __init__(self, model: "Dcgan", space: SampleSpace) -> None:
        super().__init__()
        spec, std = model.discriminator, model.init_std
        halvings, base = base_of(space, "dcgan")
        channels = space.shape[0]
        layers: list[nn.Module] = []
        for level, width in enumerate(_widths(spec, halvings)):
            # The first layer sees pixels, whose mean and contrast batch norm would take away (section 3).
            norm = spec.norm if level > 0 or spec.norm == "spectral" else "none"
            convolution = Conv2d(
                channels, width, spec.kernel, stride=2, padding=1 + spec.kernel % 2, bias=has_bias(norm)
            )
            layers += spec.block(convolution, width, std, norm)
            channels = width
        self.halvings = nn.Sequential(*layers)
        self.judge = weighted(Conv2d(channels, 1, base), spec.norm, std)
        self.heads = model.heads(channels * math.prod(base), len(space.classes))

    def features(self, samples: Tensor) -> Tensor:
        """Return the last halving's channels, [batch, channels, *base]."""
        features: Tensor = self.halvings(samples)
        return features

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [batch]."""
        logits: Tensor = self.judge(features)
        return self.heads.conditioned(logits.flatten(), features, labels)


@MODELS.register
class Dcgan(LayeredModel):
    """DCGAN for images whose smaller side is 4, 5, 6 or 7 times a power of two pixels, from 8 to 1,024."""

    networks = (DcganGenerator, DcganDiscriminator)
    name: Literal["dcgan"]
    init_std: Annotated[float, Field(gt=0)]
    generator: DcganGeneratorSpec
    discriminator: DcganDiscriminatorSpec
