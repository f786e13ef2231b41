"""What a discriminator tells of its last features besides a logit: how they fit a class, the class, the codes."""

from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

from ganctl.models.latents import LatentSpace

Condition = Literal["projection", "classifier"]
Wrap = Callable[[nn.Module], nn.Module]


class Heads(nn.Module):
    """Linear maps of features, flattened to [count, width].

    With classes, either a logit gains ⟨e(label), features⟩ (projection: Miyato and Koyama 2018, equation 3), or a
    map tells the class (classifier: Odena et al. 2017). Of the latents' codes one map tells the logits of each
    categorical one, then the means of the continuous ones (Chen et al. 2016, section 6). `wrap` initialises and
    normalises a map as the discriminator does its other layers.
    """

    def __init__(
        self,
        width: int,
        classes: int,
        condition: Condition,
        latents: LatentSpace,
        wrap: Wrap,
    ) -> None:
        super().__init__()
        self.embedding = self.classifier = self.codes = None
        if classes and condition == "projection":
            embedding = nn.Embedding(classes, width)
            nn.init.normal_(embedding.weight, 0.0, width**-0.5)
            self.embedding = wrap(embedding)
        elif classes:
            self.classifier = wrap(nn.Linear(width, classes))
        if latents.codes:
            self.codes = wrap(nn.Linear(width, sum(latents.categorical) + latents.continuous))

    def conditioned(self, logits: Tensor, features: Tensor, labels: Tensor | None) -> Tensor:
        """Return logits [count] of features, of the class that each label names if they are projected."""
        if self.embedding is None:
            return logits
        assert labels is not None, "a projection discriminator needs labels"
        flat = features.flatten(1)
        projected: Tensor = self.embedding(labels).to(flat.dtype) * flat
        return logits + projected.sum(1)
