"""A discriminator that sees several samples at once, and so whether they are too much alike."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from ganctl.models.model import Discriminator, Model
from ganctl.samples import SampleSpace


class Packed(Discriminator):
    """Joins each `pack` samples of a batch along the channels to one (Lin et al. 2018, section 3)."""

    def __init__(self, judge: Discriminator, pack: int) -> None:
        super().__init__()
        self.judge = judge
        self.pack = pack
        self.affine_in_pieces = judge.affine_in_pieces

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the stages of what sees the packs."""
        return self.judge.stages()

    def features(self, samples: Tensor) -> Tensor:
        """Return the features of packs, [batch / pack, …]."""
        return self.judge.features(self._packs(samples))

    def summary(self, features: Tensor) -> Tensor:
        """Return what heads read of packs."""
        return self.judge.summary(features)

    def reconstructed(self, features: Tensor, samples: Tensor, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return images of packs, [kinds, batch / pack, pack · channels, height, width]."""
        return self.judge.reconstructed(features, self._packs(samples), numbers)

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return logits [batch / pack]."""
        return self.judge.logits(features, labels)

    def class_logits(self, features: Tensor) -> Tensor:
        """Return the logits of packs' classes."""
        return self.judge.class_logits(features)

    def code_logits(self, features: Tensor) -> Tensor:
        """Return what is said of packs' codes."""
        return self.judge.code_logits(features)

    def _packs(self, samples: Tensor) -> Tensor:
        packs: Tensor = samples.unflatten(0, (-1, self.pack)).flatten(1, 2)
        if packs.dim() == 4:
            packs = packs.contiguous(memory_format=torch.channels_last)
        return packs


def build_discriminator(model: Model, space: SampleSpace, pack: int) -> Discriminator:
    """Return a fresh discriminator of `pack` samples at once; raise `ConfigError` if the model takes none such."""
    if pack == 1:
        return model.build_discriminator(space)
    channels, *sides = space.shape
    return Packed(model.build_discriminator(replace(space, shape=(pack * channels, *sides))), pack)
