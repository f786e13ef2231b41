"""How far what a file computes may be from what PyTorch does, and the bytes of a file that is not farther."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganctl.errors import ConfigError, counted
from ganctl.uses.deployable import Deployable
from ganctl.uses.file_formats import Facts, FileFormat, Inputs

FLOATS = 1e-4
"""The largest difference of floats, as a share of their range: a fortieth of one of 255 levels, and some ten times
what rounding in another order makes of fp32 in the networks here."""

CHANGED = 0.01
"""The largest share of 8-bit values that may differ, each by one level.

A difference of 1e-5 of the range carries one value in 400 across the middle between two levels.
"""


@dataclass(frozen=True)
class Agreement:
    """The largest difference between two tensors, and the share of values that differ.

    It is counted in levels of 8-bit values (`levels`), or as a share of the floats' range.
    """

    largest: float
    changed: float
    levels: bool

    @property
    def close(self) -> bool:
        """Whether the two are the same but for rounding."""
        return self.largest <= 1 and self.changed <= CHANGED if self.levels else self.largest <= FLOATS

    def __str__(self) -> str:
        if not self.levels:
            return f"{self.largest:.1e} of the range"
        share = f", in {self.changed:.2%} of values" if self.changed else ""
        return f"{self.largest:.0f} of 255 levels{share}"

    def bound(self) -> str:
        """Return in words what is allowed."""
        return f"1 level in {CHANGED:.0%} of values" if self.levels else f"{FLOATS:.0e}"


def agreement(found: Tensor, expected: Tensor, span: float | None = None) -> Agreement:
    """Compare two tensors of one shape and type: uint8 by levels, floats as a share of their range.

    The range is `span`, or the largest magnitude that is expected. Raises `ValueError` if shape or type differ.
    """
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise ValueError(f"{found.dtype} {list(found.shape)}, not {expected.dtype} {list(expected.shape)}")
    levels = expected.dtype == torch.uint8
    distances = (found.double() - expected.double()).abs()
    if levels:
        span = 1.0
    elif span is None:
        span = float(expected.abs().max()) or 1.0
    return Agreement(float(distances.max()) / span, float((distances > 0).double().mean()), levels)


@torch.no_grad()
def checked(
    form: FileFormat, generator: Deployable, inputs: Inputs, batches: Sequence[int], facts: Facts
) -> tuple[bytes, Agreement]:
    """Return the bytes of a generator's file, and how what they compute agrees with PyTorch.

    Both compute the inputs in batches of so many, which are all of them. Raises `ConfigError` if they disagree,
    or if there can be no such file of this generator.
    """
    parts = list(zip(*(values.split(list(batches)) for values in inputs), strict=True))
    content = form.write(generator, tuple(values[:2] for values in inputs), facts)
    run = form.open(content)
    found, expected = (torch.cat([compute(*part) for part in parts]) for compute in (run, generator))
    bounds = generator.value_range()
    try:
        result = agreement(found, expected, bounds and bounds[1] - bounds[0])
    except ValueError as error:
        raise ConfigError(
            f"format: the file would give {error}; nothing was written; take another format"
        ) from error
    if not result.close:
        raise ConfigError(
            f"format: {counted(len(expected), 'sample')} of the file would differ from PyTorch's by {result}, "
            f"more than rounding explains ({result.bound()}); nothing was written; take another format"
        )
    return content, result
