"""Generators and discriminators; importing the package fills the table `MODELS`."""

from ganctl.models.model import MODELS, Discriminator, Generator, Model, StyledGenerator
from ganctl.registry import import_members

__all__ = ["MODELS", "Discriminator", "Generator", "Model", "StyledGenerator"]

import_members(__name__)
