"""Generators and discriminators; importing the package fills the table `MODELS`."""

from ganctl.models import dcgan as _dcgan
from ganctl.models import mlp as _mlp
from ganctl.models.model import MODELS, Discriminator, Generator, Model

__all__ = ["MODELS", "Discriminator", "Generator", "Model"]

del _dcgan, _mlp
