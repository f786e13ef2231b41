"""Where real samples come from; importing the package fills the table `SOURCES`."""

from ganctl.data.source import SOURCES, Source
from ganctl.registry import import_members

__all__ = ["SOURCES", "Source"]

import_members(__name__)
