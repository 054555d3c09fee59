"""P3: with a stuck or emptied Valkey, or a stuck Postgres, nobody hangs and nothing is lost."""

import json
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from typing import Any, Final

import pytest
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.chaos.live import LiveSystem, eventually
from tests.chaos.load import ANSWER_SECONDS_MAX, Journal, Load, Person, load_on, look
from tests.chaos.verdict import faults_of, unrest
from tms.run.config import runtime

pytestmark = pytest.mark.chaos

SEED: Final = 11
PROPOSALS: Final = 12
STUCK_SECONDS: Final = 6.0
LOAD_SECONDS_MAX: Final = 90.0
QUIET_SECONDS_MAX: Final = 60.0
RAIL_SECONDS: Final = 210
HONEST_SECONDS_MAX: Final = 20.0
PAGES: Final = ("/balances", "/transfers", "/approvals?waiting_for_me=true")
EXPECTED_ANSWERS: Final = frozenset({200, 201, 409, 503})


@contextmanager
def light_load(system: LiveSystem, *, seed: int) -> Iterator[Journal]:
    """Keep people at work during the block; afterwards wait until everything is quiet."""
    load = load_on(
        system,
        count=PROPOSALS,
        rng=random.Random(seed),
        seconds_max=LOAD_SECONDS_MAX,
        makers=1,
    )
    reader = Person(system, load.journal, name="manager", until=time.monotonic() + LOAD_SECONDS_MAX)
    done = threading.Event()
    reading = threading.Thread(
        target=look, args=(reader, PAGES), kwargs={"done": done}, daemon=True
    )
    load.start()
    reading.start()
    assert eventually(lambda: load.journal.answers[201] >= 2, LOAD_SECONDS_MAX)
    yield load.journal
    _until_quiet(system, load)
    done.set()
    reading.join(ANSWER_SECONDS_MAX + 1)


def _until_quiet(system: LiveSystem, load: Load) -> None:
    assert eventually(load.is_over, LOAD_SECONDS_MAX)
    for _ in range(4):
        system.ask_bank("POST", "/clock/advance", {"seconds": RAIL_SECONDS})
        if eventually(lambda: not unrest(system), QUIET_SECONDS_MAX / 4, every=0.5):
            return
    pytest.fail(f"not quiet: {unrest(system)}")


def _nobody_hung_and_nothing_was_lost(system: LiveSystem, journal: Journal) -> None:
    assert journal.hangs == []
    assert journal.slowest_seconds < ANSWER_SECONDS_MAX
    assert set(journal.answers) <= EXPECTED_ANSWERS, journal.answers
    assert journal.oddities == []
    assert len(journal.acknowledged) == PROPOSALS
    faults, _ = faults_of(system, journal)
    assert faults == []


def _client(system: LiveSystem) -> redis.Redis:
    return redis.Redis.from_url(runtime(system.environment).redis_url(0), socket_timeout=5)


@contextmanager
def stopped(system: LiveSystem, name: str) -> Iterator[None]:
    """Hold a server and all its processes still, as a machine without air would."""
    system.signal_family(name, signal.SIGSTOP)
    try:
        yield
    finally:
        system.signal_family(name, signal.SIGCONT)


@pytest.mark.parametrize("server", ["valkey", "postgres"])
def test_a_stuck_server_makes_nobody_hang_and_loses_nothing(
    system: LiveSystem, server: str
) -> None:
    with light_load(system, seed=SEED + len(server)) as journal, stopped(system, server):
        threading.Event().wait(STUCK_SECONDS)
    _nobody_hung_and_nothing_was_lost(system, journal)


def test_an_emptied_valkey_loses_nothing(system: LiveSystem) -> None:
    with light_load(system, seed=SEED) as journal, _client(system) as client:
        for _ in range(5):
            client.flushall()
            threading.Event().wait(0.3)
    _nobody_hung_and_nothing_was_lost(system, journal)


class Socket(ExitStack):
    """A browser's websocket that connects again whenever it was closed."""

    def __init__(self, system: LiveSystem) -> None:
        super().__init__()
        self.system = system
        self.socket: ClientConnection | None = None

    def hear(self, seconds: float) -> dict[str, Any] | None:
        """Return the next message, or None: silence, or a connection that was closed."""
        try:
            if self.socket is None:
                opening = connect(
                    f"ws://127.0.0.1:{self.system.port}/ws/updates",
                    origin=self.system.url,  # type: ignore[arg-type]
                    additional_headers={"Cookie": self.system.facts["cookie"]},
                    open_timeout=seconds,
                    close_timeout=1,
                )
                self.socket = self.enter_context(opening)
            heard: dict[str, Any] = json.loads(self.socket.recv(timeout=seconds))
        except (TimeoutError, OSError, ConnectionClosed) as trouble:
            if not isinstance(trouble, TimeoutError):
                self.socket = None
            return None
        return heard

    def hears_hints_again(self, occasion: str) -> bool:
        """Cause events until the hint of one arrives, on whichever connection.

        What happens while nobody can hear, a browser learns from the pong to its next ping.
        """
        began = self.last_sequence()
        deadline = time.monotonic() + HONEST_SECONDS_MAX
        for number in count(1):
            self._cause_events(f"{occasion}-{number}", until=deadline)
            for _ in range(3):
                heard = self.hear(1.0)
                if heard is not None and heard["type"] == "hint":
                    return self.last_sequence() > began
            if time.monotonic() > deadline:
                return False
        return False

    def last_sequence(self) -> int:
        """Return how far the news have come, as the server answers a browser's ping."""
        deadline = time.monotonic() + HONEST_SECONDS_MAX
        while time.monotonic() < deadline:
            with suppress(ConnectionClosed, OSError):
                if self.socket is not None:
                    self.socket.send('{"type":"ping"}')
            heard = self.hear(1.0)
            if heard is not None and heard["type"] in ("pong", "hello"):
                return int(heard["sequence"])
        raise AssertionError("the socket does not answer")

    def _cause_events(self, key: str, *, until: float) -> None:
        maker = self.enter_context(Person(self.system, Journal(), name="maker", until=until))
        accounts = self.system.facts["accounts"]
        body = {
            "debit_account": accounts["near"],
            "credit_account": accounts["home"],
            "amount": "1000.00",
            "why": f"Hint {key}",
        }
        made = maker.insist("POST", "/proposals", key=f"hint-{key}", body=body)
        withdrawal = f"/proposals/{made.json()['id']}/withdraw"
        maker.insist("POST", withdrawal, key=f"hint-back-{key}", body={"reason": "Only a hint"})


def test_sockets_hear_again_after_valkey_was_emptied_stuck_and_killed(system: LiveSystem) -> None:
    with Socket(system) as socket, _client(system) as client:
        hello = socket.hear(HONEST_SECONDS_MAX)
        assert hello is not None
        assert hello["type"] == "hello"
        assert socket.hears_hints_again("before")

        client.flushall()
        assert socket.hears_hints_again("emptied")

        with stopped(system, "valkey"):
            threading.Event().wait(STUCK_SECONDS)
        assert socket.hears_hints_again("stuck")

        system.signal_family("valkey", signal.SIGKILL)
        assert eventually(lambda: system.is_ready("valkey"), HONEST_SECONDS_MAX)
        assert socket.hears_hints_again("killed")
