"""An augmentation: noise on every image that the discriminator sees (Sønderby et al. 2017, instance noise)."""

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor

from ganctl.augment import AUGMENTS, Augment


@AUGMENTS.register
class InstanceNoise(Augment):
    """Normal noise of the standard deviation `spread`, where black and white are -1 and 1."""

    name: Literal["instance_noise"]
    spread: Annotated[float, Field(ge=0)]

    @property
    def uniforms(self) -> int:
        """None."""
        return 0

    @property
    def draws_noise(self) -> bool:
        """It does."""
        return True

    def transform(self, images: Tensor, uniforms: Tensor, noise: Tensor | None, strength: Tensor | None) -> Tensor:
        """Return the images with noise."""
        assert noise is not None
        return images + self.spread * noise
