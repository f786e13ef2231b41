"""torchvision, imported only by what needs it, and with one line when it does not fit torch."""

import importlib.metadata
from types import ModuleType

from ganctl.errors import ConfigError


def import_torchvision_datasets() -> ModuleType:
    """Return the module `torchvision.datasets`.

    A torchvision that was built for another torch fails with "operator torchvision::nms does not exist":
    registries serve one built for CUDA, beside which a CPU-only torch may have been installed.

    Raises `ConfigError` with what is installed and the command that mends it.
    """
    try:
        import torchvision.datasets
    except (ImportError, RuntimeError, OSError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        pair = " and ".join(f"{name} {_version(name)}" for name in ("torch", "torchvision"))
        raise ConfigError(
            f"{pair} do not work together ({reason}); install a matching pair: "
            "pip install --force-reinstall torch torchvision"
        ) from error
    datasets: ModuleType = torchvision.datasets
    return datasets


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
