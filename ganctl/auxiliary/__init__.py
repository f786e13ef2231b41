"""Auxiliary terms of the players' losses; importing the package fills the table `AUXILIARIES`."""

from ganctl.auxiliary.auxiliary import (
    AUXILIARIES,
    Auxiliary,
    ClassLoss,
    CodeLoss,
    Reconstruction,
    multiclass_hinge,
    structural_similarity,
)
from ganctl.auxiliary.cutmix import CutmixConsistency
from ganctl.auxiliary.path_length import PathLength
from ganctl.registry import import_members

__all__ = [
    "AUXILIARIES",
    "Auxiliary",
    "ClassLoss",
    "CodeLoss",
    "CutmixConsistency",
    "PathLength",
    "Reconstruction",
    "multiclass_hinge",
    "structural_similarity",
]

import_members(__name__)
