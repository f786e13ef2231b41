"""Differentiable augmentation of what the discriminator sees; importing the package fills the table `AUGMENTS`."""

from ganctl.augment.augmentation import AUGMENTS, Augment, Strength
from ganctl.registry import import_members

__all__ = ["AUGMENTS", "Augment", "Strength"]

import_members(__name__)
