"""One running system for the whole folder; every test leaves it quiet."""

from collections.abc import Iterator

import pytest

from tests.chaos.live import LiveSystem, live_system


@pytest.fixture(scope="package")
def system() -> Iterator[LiveSystem]:
    """A system of its own; when the folder is done, no process of it is left."""
    with live_system() as running:
        yield running
