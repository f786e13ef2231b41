"""What every augmentation has: the random numbers it needs, and images in, images out."""

from collections.abc import Mapping
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from ganctl.registry import Component, Family


class Strength(Protocol):
    """How often images are changed, as training adapts it: a part of the checkpoint."""

    value: Tensor
    """The probability of each change, a scalar on the device."""

    def observe(self, real_logits: Tensor) -> None:
        """Move the value, in place, by the logits of real images of a discriminator's update."""

    def state(self) -> dict[str, Tensor]:
        """Return the tensors by name; names, shapes and types are the same at every step."""

    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Take over the tensors that `state` returned."""


class Augment(Component):
    """Random changes to the images on their way into the discriminator, real and generated alike.

    A pure function of images and random numbers, which is differentiable twice in the images.
    """

    adaptive: ClassVar[bool] = False
    """Whether it has a strength of its own, which training adapts."""

    @property
    def uniforms(self) -> int:
        """How many uniform numbers a sample needs."""
        raise NotImplementedError

    @property
    def draws_noise(self) -> bool:
        """Whether a sample needs standard normal numbers of its shape, too."""
        return False

    def begin(self, images: int, device: torch.device) -> Strength:
        """Return the strength of an adaptive augmentation at step 0; an update learns from so many real images."""
        raise NotImplementedError

    def apply(
        self,
        images: Tensor,
        uniforms: Tensor,
        noise: Tensor | None,
        strength: Tensor | None,
        value_range: tuple[float, float] = (-1.0, 1.0),
    ) -> Tensor:
        """Return augmented images [n, channels, height, width] of images in `value_range`, of their type.

        `uniforms` are in [0, 1), [n, self.uniforms]; they state the precision of the computation. `noise` is of
        the images' shape, or None; `strength` is a scalar on the device, the probability of each change, or None.
        Values may leave the range.
        """
        low, high = value_range
        centre, half = (high + low) / 2, (high - low) / 2
        with torch.autocast(images.device.type, enabled=False):
            changed = images.to(uniforms.dtype)
            if (centre, half) == (0, 1):
                changed = self.transform(changed, uniforms, noise, strength)
            else:
                changed = self.transform((changed - centre) / half, uniforms, noise, strength) * half + centre
            return changed.to(images.dtype)

    def transform(self, images: Tensor, uniforms: Tensor, noise: Tensor | None, strength: Tensor | None) -> Tensor:
        """Return augmented images, as `apply` does, of images in [-1, 1]."""
        raise NotImplementedError


AUGMENTS: Family[Augment] = Family("augment")


def color_channels(images: Tensor) -> int:
    """Return how many channels of images [n, channels, …] are colors: an alpha channel comes last."""
    channels = images.shape[1]
    return channels - 1 if channels in (2, 4) else channels
