"""A process that starts while the database restarts waits for it, and for nothing else."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from core.checks import await_database
from tms.run.addresses import POSTGRES_SOCKET

pytestmark = pytest.mark.django_db


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """Let new connections look for the server's socket in a folder where there is none."""
    before = connection.settings_dict["HOST"]
    connection.settings_dict["HOST"] = str(tmp_path)
    yield Path(before) / POSTGRES_SOCKET
    connection.settings_dict["HOST"] = before


def test_a_database_that_comes_back_is_waited_for(elsewhere: Path, tmp_path: Path) -> None:
    back = threading.Timer(0.4, (tmp_path / POSTGRES_SOCKET).symlink_to, args=[elsewhere])
    back.start()
    began = time.monotonic()

    await_database(seconds_max=20)

    assert time.monotonic() - began >= 0.3
    back.join()


@pytest.mark.usefixtures("elsewhere")
def test_a_database_that_stays_away_ends_the_wait() -> None:
    with pytest.raises(psycopg.OperationalError):
        await_database(seconds_max=0.3)


def test_a_refusal_is_not_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", "not this one")
    began = time.monotonic()

    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        await_database(seconds_max=20)

    assert time.monotonic() - began < 10
