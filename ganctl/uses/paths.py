"""Paths through latents and styles, from one key to the next."""

import torch
from torch import Tensor

PARALLEL = 1e-6
"""The sine of an angle below which two vectors span no plane to turn in; a line then differs by its square."""


def frames_of(keys: int, steps: int, loop: bool) -> int:
    """Return how many frames `walk` makes."""
    return keys * (steps + 1) if loop else (keys - 1) * (steps + 1) + 1


def walk(keys: Tensor, steps: int, *, loop: bool = False, turned: int = 0) -> Tensor:
    """Return a path through keys, float [count, …], with so many steps between two, [frames, …].

    The first `turned` values of keys [count, width] go by `spherical`, all others by `linear`. The frames at keys
    are these, bit for bit. A loop goes on from the last key towards the first, which it does not repeat: shown
    over and over, it moves evenly. Computed in float64, returned in the type of the keys.
    """
    shares = torch.arange(1, steps + 1, dtype=torch.float64) / (steps + 1)
    ends = keys.roll(-1, 0) if loop else keys[1:]
    frames: list[Tensor] = []
    for start, end in zip(keys, ends, strict=False):
        between = linear(start, end, shares)
        if turned:
            between[:, :turned] = spherical(start[:turned], end[:turned], shares)
        frames += [start[None], between.to(keys.dtype)]
    return torch.cat(frames if loop else [*frames, keys[-1:]])


def linear(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """Return what lies at shares [count] of the way between two tensors […], float64 [count, …]."""
    start, end = start.double(), end.double()
    return start + shares.view(-1, *[1] * start.dim()) * (end - start)


def spherical(start: Tensor, end: Tensor, shares: Tensor) -> Tensor:
    """Return what lies at shares [count] of the way between vectors [width], float64 [count, width].

    The direction turns at a constant speed (slerp: Shoemake 1985, section 3.3; for latents White 2016, section
    2.1), and the length changes evenly, so that vectors of one length keep it. `linear` where the vectors span no
    plane: one is zero, or they point the same way or opposite ways.
    """
    start, end = start.double(), end.double()
    lengths = start.norm(), end.norm()
    first, last = start / lengths[0], end / lengths[1]
    angle = 2 * torch.atan2((first - last).norm(), (first + last).norm())
    if not angle.sin() > PARALLEL:  # also where it is no number
        return linear(start, end, shares)
    weights = torch.stack([((1 - shares) * angle).sin(), (shares * angle).sin()], 1) / angle.sin()
    return weights @ torch.stack([first, last]) * linear(*lengths, shares)[:, None]
