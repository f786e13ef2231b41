"""The exponential moving average of a generator."""

import torch
from torch import nn

RUNNING_STATISTICS = ("running_mean", "running_var")


class Ema:
    """Keeps `average` near a network's recent weights and running statistics.

    The half-life is counted in images, and is at most `ramp` times the images seen so far, so that the
    first random weights are soon forgotten (Karras et al. 2020, StyleGAN2's training loop).
    """

    def __init__(self, average: nn.Module, network: nn.Module, half_life: float, ramp: float) -> None:
        self.average = average.eval().requires_grad_(False)
        self.half_life = half_life
        self.ramp = ramp
        old, new = average.state_dict(), network.state_dict()  # the tensors themselves, which stay where they are
        weights = {name for name, _ in average.named_parameters()}
        averaged = [name for name in old if name in weights or name.endswith(RUNNING_STATISTICS)]
        copied = [name for name in old if name not in averaged]
        self._averaged = [old[name] for name in averaged], [new[name] for name in averaged]
        self._copied = [old[name] for name in copied], [new[name] for name in copied]

    def decay(self, images_seen: int, batch_size: int, stretch: float = 1.0) -> float:
        """Return the weight of the old average in one update by a batch, 0–1; `stretch` times the half-life."""
        half_life = self.half_life * stretch
        if self.ramp > 0:
            half_life = min(half_life, images_seen * self.ramp)
        return float(0.5 ** (batch_size / half_life)) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, images_seen: int, batch_size: int, stretch: float = 1.0) -> None:
        """Move the average towards the network's weights and running statistics; other buffers are copied.

        Among those are the vectors of spectral norm, which are directions: a mean of them is none.
        """
        torch._foreach_lerp_(*self._averaged, 1 - self.decay(images_seen, batch_size, stretch))
        if self._copied[0]:
            torch._foreach_copy_(*self._copied)
