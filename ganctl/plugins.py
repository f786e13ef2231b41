"""Modules of the user's own: imported for a run, and told apart by what they say."""

import hashlib
import importlib
import os
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from ganctl.errors import ConfigError

KEY = "plugin "
"""How the entry of a plugin's source begins among what a run's bits depend on; its module's name follows."""


def import_plugins(names: Any) -> None:
    """Import the modules that `plugins=[…]` of the command line names; never for names from a file.

    They are also looked for in the current folder, after everything that is installed. Raises `ConfigError` for
    anything but a list of modules that can be imported.
    """
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"plugins: must be a list of modules such as [my_package.my_losses], not {names!r}")
    here = os.getcwd()
    if names and here not in sys.path and "" not in sys.path:
        sys.path.append(here)
    for name in names:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ConfigError(f"plugins: {name} cannot be imported ({reason})") from error
        _digest(sys.modules[name])  # of the source that has just been imported, whatever becomes of it later


def sources(names: Iterable[str]) -> dict[str, str]:
    """Return a digest of the source of each imported plugin, by `KEY` and its name."""
    return {f"{KEY}{name}": _digest(sys.modules[name]) for name in names}


def named_in(versions: Mapping[str, str]) -> list[str]:
    """Return the plugins that a checkpoint was trained with; only to be told, never to be imported."""
    names = [key.removeprefix(KEY) for key in versions if key.startswith(KEY)]
    return [name for name in names if all(part.isidentifier() for part in name.split("."))]


@cache
def _digest(module: ModuleType) -> str:
    """Return 12 hex digits of the sha256 of a module's file, or of all Python files of its package."""
    whole = sys.modules.get(module.__name__.partition(".")[0], module)
    top, own = (Path(getattr(each, "__file__", None) or "") for each in (whole, module))
    package = top if top.name == "__init__.py" else own
    digest = hashlib.sha256()
    files = sorted(package.parent.rglob("*.py")) if package.name == "__init__.py" else [own]
    for path in files:
        if path.is_file():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(package.parent)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]
