"""What the tests of cached images share."""

import pytest

from ganctl.data.cache import image_set
from ganctl.data.decoding import parallel


@pytest.fixture
def settled_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take files that have just been written for old enough to get a stamp."""
    monkeypatch.setattr(image_set, "SETTLED_SECONDS", 0.0)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of images that are decoded from here on."""
    names: list[str] = []
    examine = parallel.examine

    def noted(file, task, row, alone=None):
        names.append(file.relative)
        return examine(file, task, row, alone)

    monkeypatch.setattr(parallel, "examine", noted)
    return names
