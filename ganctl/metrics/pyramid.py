"""The sliced Wasserstein distance: of values, or of patches of images at every level of a Laplacian pyramid."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ganctl.metrics.metric import METRICS, Metric
from ganctl.metrics.sample_sets import Samples
from ganctl.metrics.statistics import Statistics
from ganctl.runtime.randomness import generator
from ganctl.samples import IMAGES

PATCH, SMALLEST = 7, 16
"""Pixels a side of a patch, and of the coarsest level."""

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
THOUSANDTHS = 1000.0
AT_ONCE = 16
"""Directions along which samples are projected at once."""

CPU = torch.device("cpu")


@METRICS.register
class SlicedWasserstein(Metric):
    """The mean Wasserstein-1 distance of projections on random directions (Rabin et al. 2011).

    Of images, as the progressive GAN has it: 7×7 patches of each level of a Laplacian pyramid down to 16
    pixels, each channel brought to mean 0 and standard deviation 1, times 1,000 (Karras et al. 2018, section 5).
    Of points and sequences, as they are.
    """

    value = "swd"
    name: Literal["sliced_wasserstein"]
    num: Annotated[int, Field(ge=1, le=1_000_000)]
    patches: Annotated[int, Field(ge=1, le=10_000)]
    directions: Annotated[int, Field(ge=1, le=100_000)]

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return `swd`, the mean over levels, and `swd_<pixels>` of each, ≥ 0, of up to `num` samples a side."""
        count = min(self.num, real.samples.count, generated.samples.count)
        device = real.extractor.arithmetic
        if (kind := real.samples.space.kind) is not IMAGES:
            sides = (kind.numbers(side.samples.first(count)) for side in (real, generated))
            ours, theirs = (values.to(device, torch.float64) for values in sides)
            return {"swd": sliced_distance(ours, theirs, self.directions, seed)}
        found = {}
        for level, side in enumerate(level_sides(real.samples.space.shape)):
            ours, theirs = (
                self._patches(each.samples, count, level, seed, name, device)
                for name, each in (("real", real), ("generated", generated))
            )
            found[f"swd_{side}"] = THOUSANDTHS * sliced_distance(ours, theirs, self.directions, seed)
        return {"swd": sum(found.values()) / len(found)} | found

    def _patches(
        self, samples: Samples, count: int, level: int, seed: int, name: str, device: torch.device
    ) -> Tensor:
        """Return normalised patches of a level, float32 [count · patches, channels · 49]."""
        source = generator(CPU, "sliced_wasserstein", seed, level, name)
        channels = samples.space.shape[0]
        patches = torch.empty(count, self.patches, channels, PATCH * PATCH, device=device)
        done = 0
        for chunk in samples.part(0, count).chunks():
            images = chunk.to(device).permute(0, 3, 1, 2).float()
            patches[done : done + len(chunk)] = _draw(pyramid_level(images, level), self.patches, source)
            done += len(chunk)
        for channel in patches.unbind(2):
            channel -= channel.double().mean().float()
            channel /= channel.square().mean(dtype=torch.float64).sqrt().clamp(min=1e-12).float()
        return patches.flatten(2).flatten(0, 1)


def level_sides(shape: tuple[int, ...]) -> list[int]:
    """Return the pixels a side of each level, the finest first: halves down to 16."""
    side = min(shape[1:])
    sides = [side]
    while side % 2 == 0 and side // 2 >= SMALLEST:
        side //= 2
        sides.append(side)
    return sides


def pyramid_level(images: Tensor, level: int) -> Tensor:
    """Return a level (0 is the finest) of images' Laplacian pyramid (Burt and Adelson 1983)."""
    last = len(level_sides(tuple(images.shape[1:]))) - 1
    for _ in range(level):
        images = smaller(images)
    return images if level == last else images - larger(smaller(images))


def smaller(images: Tensor) -> Tensor:
    """Return images blurred and of half the size."""
    return _blurred(images)[..., ::2, ::2]


def larger(images: Tensor) -> Tensor:
    """Return images of twice the size, blurred."""
    count, channels, height, width = images.shape
    spread = images.new_zeros(count, channels, 2 * height, 2 * width)
    spread[..., ::2, ::2] = 4 * images
    return _blurred(spread)


def _blurred(images: Tensor) -> Tensor:
    window = images.new_tensor(BINOMIAL)
    planes = pad(images.flatten(0, 1)[:, None], (2, 2, 2, 2), mode="reflect")
    planes = conv2d(conv2d(planes, window.view(1, 1, -1, 1)), window.view(1, 1, 1, -1))
    return planes.view_as(images)


def _draw(images: Tensor, count: int, source: torch.Generator) -> Tensor:
    """Return `count` patches at random places of each image, [n, count, channels, 49]."""
    number, _, height, width = images.shape
    tops = torch.randint(height - PATCH + 1, (number, count), generator=source)
    lefts = torch.randint(width - PATCH + 1, (number, count), generator=source)
    windows = images.unfold(2, PATCH, 1).unfold(3, PATCH, 1)
    return windows[torch.arange(number)[:, None], :, tops, lefts].flatten(3)


def sliced_distance(first: Tensor, second: Tensor, directions: int, seed: int) -> float:
    """Return the mean over random unit directions of the Wasserstein-1 distance of two sets [n, dimension]."""
    source = generator(CPU, "directions", seed)
    drawn = torch.randn(first.shape[1], directions, generator=source, dtype=torch.float64)
    drawn = (drawn / drawn.norm(dim=0)).to(first)
    total = 0.0
    for part in drawn.split(AT_ONCE, dim=1):
        sides = [(side @ part).T.contiguous().sort(dim=1).values for side in (first, second)]
        total += float((sides[0] - sides[1]).abs().mean(1, dtype=torch.float64).sum())
    return total / directions
