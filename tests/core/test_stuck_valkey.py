"""P3: a Valkey that holds still holds nobody; without our limits it would."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis

from core.events.transports import redis_client

LIMITS = ("socket_timeout", "socket_connect_timeout", "retry")
PATIENCE_SECONDS = 20  # what PROMISES allows an answer to take


@pytest.fixture
def stuck_port() -> Iterator[int]:
    """A server that takes connections and never says a word, as one that was stopped does."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def _limits() -> dict[str, Any]:
    """Return the limits of the client that the application uses."""
    known = redis_client().connection_pool.connection_kwargs
    return {name: known[name] for name in LIMITS}


def _ask(port: int, **limits: Any) -> threading.Thread:
    def ask() -> None:
        client = redis.Redis(host="127.0.0.1", port=port, **limits)
        with client, suppress(redis.RedisError, OSError):
            client.ping()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    return asking


def test_a_valkey_that_holds_still_lets_go_of_us(stuck_port: int) -> None:
    asking = _ask(stuck_port, **_limits())
    asking.join(PATIENCE_SECONDS)
    assert not asking.is_alive()


def test_without_the_limits_one_would_wait_for_it(stuck_port: int) -> None:
    """The negative control: the same question without limits still waits when ours has given up."""
    ours, bare = _ask(stuck_port, **_limits()), _ask(stuck_port, socket_timeout=None)
    ours.join(PATIENCE_SECONDS)
    assert not ours.is_alive()
    assert bare.is_alive()
