"""Feature extractors, one module each; importing the package fills the table `EXTRACTORS`."""

from ganctl.registry import import_members

import_members(__name__)
