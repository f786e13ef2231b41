"""torchvision, imported only by what needs it, and with one line when it does not fit torch."""

from importlib import metadata
from types import ModuleType

from ganctl.errors import ConfigError


def import_torchvision() -> ModuleType:
    """Return torchvision, with its `datasets` and `models.feature_extraction`.

    A torchvision that was built for another torch fails with "operator torchvision::nms does not exist":
    registries serve one built for CUDA, while the torch that is installed may be CPU-only.

    Raises `ConfigError` with what is installed and the command that fixes it.
    """
    try:
        import torchvision.datasets
        import torchvision.models.feature_extraction
    except (ImportError, RuntimeError, OSError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ConfigError(
            f"torch {installed('torch')} and torchvision {installed('torchvision')} do not work together "
            f"({reason}); install a matching pair: pip install --force-reinstall torch torchvision"
        ) from error
    module: ModuleType = torchvision
    return module


def installed(name: str) -> str:
    """Return the version of a package that is installed, without importing it."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"
