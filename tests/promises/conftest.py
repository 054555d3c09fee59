"""The world of the promises: two tenants, committed once for the whole folder."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from core import clock
from tests.conftest import empty_database
from tests.promises.realm import TUESDAY, Realm, build_realm


@dataclass(frozen=True, slots=True)
class World:
    """`ours` asks; `theirs` is the other tenant."""

    ours: Realm
    theirs: Realm


@pytest.fixture(scope="package")
def world(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """Two committed tenants; emptied by the owner afterwards."""
    with django_db_blocker.unblock():
        try:
            with clock.frozen(TUESDAY):
                ours, theirs = (
                    build_realm(slug=slug, digit=digit, folder=tmp_path_factory.mktemp(slug))
                    for slug, digit in (("quokkavale", "4"), ("wombatmoor", "8"))
                )
            yield World(ours=ours, theirs=theirs)
        finally:
            empty_database()


@pytest.fixture
def at_work() -> Iterator[datetime]:
    """Hold the clock on the world's Tuesday morning."""
    with clock.frozen(TUESDAY):
        yield TUESDAY
