"""What the discriminator sees of images: each augmented on its way there, real and generated ones alike."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from ganctl.augment import Augment, Strength
from ganctl.game.round import Distribution, Feed, Side


@dataclass
class Augmenter:
    """Augmentations by name, in their order; none of them leaves samples as they are.

    `strengths` are those of the adaptive ones; `value_range` is black and white of the images.
    """

    augments: Mapping[str, Augment] = field(default_factory=dict)
    strengths: Mapping[str, Strength] = field(default_factory=dict)
    value_range: tuple[float, float] = (-1.0, 1.0)

    def draws(self, side: Side, shape: tuple[int, ...]) -> dict[str, tuple[Distribution, tuple[int, ...]]]:
        """Return what a side is fed, by name: a distribution, and the shape of what each sample [*shape] gets."""
        drawn: dict[str, tuple[Distribution, tuple[int, ...]]] = {}
        for name, augment in self.augments.items():
            drawn[_key(name, side)] = ("uniform", (augment.uniforms,))
            if augment.draws_noise:
                drawn[_key(name, side, "noise")] = ("normal", shape)
        return drawn

    def __call__(self, samples: Tensor, side: Side, feed: Feed) -> Tensor:
        """Return the samples [batch, *shape] of a side as the discriminator is to see them."""
        for name, augment in self.augments.items():
            strength = self.strengths.get(name)
            samples = augment.apply(
                samples,
                feed[_key(name, side)],
                feed.get(_key(name, side, "noise")),
                strength.value if strength is not None else None,
                self.value_range,
            )
        return samples

    def observe(self, logits: Mapping[str, Tensor]) -> None:
        """Adapt the strengths to the logits of a discriminator's update, by side."""
        for strength in self.strengths.values():
            strength.observe(logits["real"])


def _key(name: str, side: Side, what: str = "numbers") -> str:
    return f"augment.{name}.{side}.{what}"
