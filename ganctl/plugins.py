"""A user's own modules: imported for a run, and recognised by a digest of their source."""

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
"""Begins the name of a plugin among what a run's bits depend on; its module's name follows."""


def import_plugins(names: Any) -> None:
    """Import the modules of `plugins=[…]` on the command line; never those that a file names.

    They are searched among installed modules, then in the current folder. Raises `ConfigError` for anything but
    a list of modules that can be imported.
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
        _digest(sys.modules[name])  # of the source as it was imported; it may be edited later


def sources(names: Iterable[str]) -> dict[str, str]:
    """Return a digest of each imported plugin's source, by `KEY` and its name."""
    return {f"{KEY}{name}": _digest(sys.modules[name]) for name in names}


def named_in(versions: Mapping[str, str]) -> list[str]:
    """Return the names of the plugins that a checkpoint was trained with: to be reported, never imported."""
    names = [key.removeprefix(KEY) for key in versions if key.startswith(KEY)]
    return [name for name in names if all(part.isidentifier() for part in name.split("."))]


@cache
def _digest(module: ModuleType) -> str:
    """Return 12 hex digits of the sha256 of a module's file, or of all Python files of its package."""
    top = sys.modules.get(module.__name__.partition(".")[0], module)
    files = [Path(getattr(each, "__file__", None) or "") for each in (top, module)]
    package = next((file.parent for file in files if file.name == "__init__.py"), None)
    digest = hashlib.sha256()
    for path in files[1:] if package is None else sorted(package.rglob("*.py")):
        if path.is_file():
            content = path.read_bytes()
            place = path.relative_to(package or path.parent)
            digest.update(f"{place}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:12]
