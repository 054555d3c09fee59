"""Who listens for commits hears them, and holds up no cleaning, however long he is at work."""

import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connection

from core.events.listening import CHANNEL, Listener, connect

SECONDS_MAX = 20
# More than sockets hold on their way.
_MANY = f"SELECT pg_notify('{CHANNEL}', n || repeat('.', 1000)) FROM generate_series(1, 5000) n"
_SESSION = """
    SELECT backend_xmin IS NOT NULL, wait_event FROM pg_stat_activity WHERE pid = %s
"""


def becomes(wished: Callable[[], bool]) -> bool:
    """Say whether something becomes so in time."""
    until = time.monotonic() + SECONDS_MAX
    while time.monotonic() < until:
        if wished():
            return True
        time.sleep(0.01)
    return False


def told(pid: int) -> tuple[bool, str]:
    """Return whether a session of our role holds back cleaning, and what it waits for."""
    with connection.cursor() as cursor:
        cursor.execute(_SESSION, [pid])
        holds, waits = cursor.fetchone()
    return holds, waits


@pytest.fixture
def listener(committed_db: None) -> Any:
    made = Listener()
    yield made
    made.close()


def test_a_commit_is_heard_once(
    listener: Listener, owner_connection: psycopg.Connection[Any]
) -> None:
    assert not listener.wait(0.0)
    owner_connection.execute(f"NOTIFY {CHANNEL}")
    assert listener.wait(SECONDS_MAX)
    assert not listener.wait(0.0)


def test_who_is_at_work_and_does_not_wait_holds_back_no_cleaning(
    listener: Listener, owner_connection: psycopg.Connection[Any]
) -> None:
    pid = listener._connection.info.backend_pid
    owner_connection.execute(_MANY)
    assert becomes(lambda: told(pid) == (False, "ClientRead"))
    assert listener.wait(SECONDS_MAX)


def test_a_session_that_listens_and_does_not_read_holds_it_back(
    committed_db: None, owner_connection: psycopg.Connection[Any]
) -> None:
    """The negative control: it is stuck in sending, with the snapshot that it sends with."""
    with connect() as deaf:
        deaf.execute(f"LISTEN {CHANNEL}")
        owner_connection.execute(_MANY)
        pid = deaf.info.backend_pid
        assert becomes(lambda: told(pid) == (True, "ClientWrite"))


def test_a_lost_connection_is_told_to_who_waits(listener: Listener) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [listener._connection.info.backend_pid])
    with pytest.raises(psycopg.OperationalError):
        listener.wait(SECONDS_MAX)
