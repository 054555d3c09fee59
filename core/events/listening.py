"""Hear of commits: PostgreSQL's NOTIFY, read also while nobody waits for it.

A session that listens and does not read is stuck in sending once its socket is full, and the
snapshot that it sends with keeps every row deleted or changed since from being cleaned up, in the
whole database. Whoever drains may be at it for long, so meanwhile somebody else reads.
"""

import threading
from typing import Any, Final

import psycopg
from django.db import connection

CHANNEL: Final = "tms_outbox"
_READ_EACH_SECONDS: Final = 0.05


class Listener:
    """A connection that listens, from its making until `close`."""

    def __init__(self) -> None:
        """Connect and begin to listen.

        Raises:
            psycopg.Error: the server does not answer.
        """
        self._connection = connect()
        self._connection.execute(f"LISTEN {CHANNEL}")
        self._reading = threading.Lock()
        self._has_heard = False
        self._closed = threading.Event()
        threading.Thread(target=self._read_meanwhile, name="listener", daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait until something was committed since the last call; return whether it was.

        Raises:
            psycopg.Error: the connection was lost; this listener hears nothing any more.
        """
        with self._reading:
            heard = self._read() or self._has_heard or self._read(seconds, stop_after=1)
            self._has_heard = False
        return heard

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        with self._reading:
            self._connection.close()

    def _read(self, seconds: float = 0.0, *, stop_after: int | None = None) -> bool:
        told = [*self._connection.notifies(timeout=seconds, stop_after=stop_after)]
        return bool(told)

    def _read_meanwhile(self) -> None:
        """Take what arrives while its owner is at work; who waits reads for himself, at once."""
        while not self._closed.wait(_READ_EACH_SECONDS):
            if self._reading.acquire(blocking=False):
                try:
                    self._has_heard |= self._read()
                except psycopg.Error:
                    return  # who waits is told
                finally:
                    self._reading.release()


def connect() -> psycopg.Connection[Any]:
    """Return a connection of its own to the database of this process, which commits at once."""
    database = connection.settings_dict
    return psycopg.connect(
        host=database["HOST"],
        port=database["PORT"],
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"],
        autocommit=True,
        connect_timeout=5,
    )
