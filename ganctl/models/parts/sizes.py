"""Which sizes of images can be halved down to a few pixels, as the convolutional models do."""

from collections.abc import Collection

from ganctl.errors import ConfigError, SizeError
from ganctl.samples import SampleSpace

BASES = (4, 5, 6, 7)
"""Pixels of the smaller side where halving ends."""

LARGEST = 1024
HALVINGS = range(1, 9)


def sides(counts: Collection[int] = HALVINGS) -> list[int]:
    """Return the sides that can be halved so often as one of the counts, rising."""
    return sorted({base << count for count in counts for base in BASES if base << count <= LARGEST})


def base_of(space: SampleSpace, model: str, counts: Collection[int] = HALVINGS) -> tuple[int, tuple[int, int]]:
    """Return how often a model halves images until their smaller side is 4–7 pixels, and to what height and width.

    `counts` are how often it can. Raises `SizeError` or `ConfigError` for sizes, and for samples, that cannot be.
    """
    space.require_images(f"model: {model} makes images", "take model=mlp")
    _, height, width = space.shape
    small, large = sorted((height, width))
    known = sides(counts)
    if small not in known or large > LARGEST:
        nearby = (*[side for side in known if side < small][-1:], *[side for side in known if side > small][:1])
        problem = "which do not halve down to 4–7" if large <= LARGEST else f"of more than {LARGEST} a side"
        raise SizeError(f"{model} cannot make {height}×{width} pixels, {problem}", nearby)
    halvings = next(count for count in counts if small % (1 << count) == 0 and small >> count in BASES)
    if large % (1 << halvings):
        below = large >> halvings << halvings
        near = " or ".join(str(side) for side in (below, below + (1 << halvings)) if side <= LARGEST)
        raise ConfigError(
            f"model: {model} halves {height}×{width} pixels {halvings} times, which {large} are not divisible by; "
            f"make the longer side {near} pixels"
        )
    return halvings, (height >> halvings, width >> halvings)
