"""Train, resume and sample generative adversarial networks from the command line, driven by YAML.

From Python, `load` opens a trained generator and `train` trains one; `__init__.pyi` has their types.
"""

from typing import Any

from ganctl.runtime.version import __version__

__all__ = ["LoadedGenerator", "__version__", "load", "train"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ganctl' has no attribute '{name}'")
    from ganctl import api  # which imports torch

    return getattr(api, name)
