"""torchvision, imported only by what needs it, and with one line when it does not fit torch."""

import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from ganctl.errors import ConfigError


def import_torchvision_datasets() -> ModuleType:
    """Return the module `torchvision.datasets`.

    Raises `ConfigError` if torchvision does not fit torch.
    """
    with _matching_pair():
        import torchvision.datasets
    datasets: ModuleType = torchvision.datasets
    return datasets


def import_torchvision_models() -> ModuleType:
    """Return the module `torchvision.models`, with its `feature_extraction`.

    Raises `ConfigError` if torchvision does not fit torch.
    """
    with _matching_pair():
        import torchvision.models.feature_extraction
    models: ModuleType = torchvision.models
    return models


def torchvision_version() -> str:
    """Return the version that is installed, without importing it."""
    return _version("torchvision")


@contextmanager
def _matching_pair() -> Iterator[None]:
    """Turn a failed import into what is installed and the command that fixes it.

    A torchvision that was built for another torch fails with "operator torchvision::nms does not exist":
    registries serve one built for CUDA, while the torch that is installed may be CPU-only.
    """
    try:
        yield
    except (ImportError, RuntimeError, OSError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        pair = " and ".join(f"{name} {_version(name)}" for name in ("torch", "torchvision"))
        raise ConfigError(
            f"{pair} do not work together ({reason}); install a matching pair: "
            "pip install --force-reinstall torch torchvision"
        ) from error


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
