"""Data sets fetched by torchvision on first use."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from ganctl.errors import DataError
from ganctl.runtime.torchvision_import import import_torchvision


def download(
    title: str,
    root: Path,
    below: str,
    fetch: Callable[[ModuleType, str], object],
    otherwise: str,
    how: str = "downloaded",
) -> None:
    """Fetch a data set's files into root/below.

    `fetch` is given `torchvision.datasets` and an empty folder next to the final one, and leaves the files in
    folder/below; complete files are then moved, so that a stopped download leaves no partial ones.
    `otherwise` says what the user can do if it fails, `how` what is done to the files.

    Raises `DataError` with the reason if the files cannot be had.
    """
    datasets = import_torchvision().datasets
    try:
        final = root / below
        final.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=root) as temporary:
            fetch(datasets, temporary)
            for path in (Path(temporary) / below).iterdir():
                path.replace(final / path.name)
    except Exception as error:  # sockets, archives and gdown have no error in common
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"data.root: {title} could not be {how} ({reason}); {otherwise}") from error
