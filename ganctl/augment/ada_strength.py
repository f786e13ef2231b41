"""How ADA's strength follows the overfitting of the discriminator (Karras et al. 2020, section 3.1)."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ganctl.processes.ranks import Ranks


class AdaStrength:
    """Moves by `change` every `interval` updates: up if the mean sign of D(x) since then is above `target`.

    It moves down if that is below, though not under 0; there is no upper bound, as in the official code. All is
    float32 on the device, and nothing is read from there.
    """

    def __init__(
        self, initial: float, target: float | None, change: float, interval: int, device: torch.device
    ) -> None:
        self.value = torch.tensor(initial, dtype=torch.float32, device=device)
        self._signs = torch.zeros_like(self.value)
        self._updates = torch.zeros_like(self.value)
        self._target, self._change, self._interval = target, change, interval
        self._ranks = Ranks.here()

    def observe(self, real_logits: Tensor) -> None:
        """Count the signs of the logits of an update's real images on all ranks, and move if it is time."""
        mean_sign = real_logits.detach().sign().mean()
        self._ranks.average([mean_sign])
        self.count(mean_sign)

    def count(self, mean_sign: Tensor) -> None:
        """Count an update's mean sign, a scalar, and move if it is time."""
        if self._target is None:
            return
        self._signs += mean_sign
        self._updates += 1
        due = self._updates >= self._interval
        direction = (self._signs / self._updates - self._target).sign()
        moved = (self.value + direction * self._change).clamp(min=0)
        self.value.copy_(torch.where(due, moved, self.value))
        self._signs.masked_fill_(due, 0)
        self._updates.masked_fill_(due, 0)

    def state(self) -> dict[str, Tensor]:
        """Return the strength, and the sum of mean signs and the number of updates since it last moved."""
        return {"value": self.value, "signs": self._signs, "updates": self._updates}

    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Take over the tensors that `state` returned."""
        for name, tensor in self.state().items():
            tensor.copy_(saved[name])
