"""Where real samples come from; importing the package fills the table `SOURCES`."""

from ganctl.data.source import SOURCES, Source
from ganctl.data.sources import array, celeba, cifar, digits, image_folder, mixtures, mnist

__all__ = ["SOURCES", "Source", "array", "celeba", "cifar", "digits", "image_folder", "mixtures", "mnist"]
