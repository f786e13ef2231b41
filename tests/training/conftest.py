"""What the tests of training share."""

from collections.abc import Iterator

import pytest

from tests.training.warm import Warm


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """A process off which runs are forked."""
    with Warm() as process:
        yield process
