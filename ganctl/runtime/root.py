"""Where runs are: the folder outputs/ of the working folder, or another that the user names."""

import os
from pathlib import Path

VARIABLE = "GANCTL_OUTPUTS"
"""The environment variable that names another folder; processes of a sweep inherit it."""


def outputs() -> Path:
    """Return the folder of runs, which need not exist."""
    return Path(os.path.expanduser(os.environ.get(VARIABLE) or "outputs"))
