"""A worker that is killed over an event tells nobody; what was begun is counted all the same."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

import pytest
from django.conf import settings

from core.events import Event, publish, subscribe_many
from core.events.bus import _handlers, _many
from core.events.drain import ATTEMPTS_MAX
from core.events.models import Delivery
from core.tenancy import bound
from tests.core import mortal

EVENTS, POISON, MOST = 40, 13, 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Mortal(Event):
    topic: ClassVar[str] = mortal.TOPIC
    number: int

    def aggregate(self) -> str:
        return f"thing {self.number}"


@pytest.fixture
def waiting(committed_tenant: UUID) -> UUID:
    """Forty events for a consumer of many, one of which kills whoever takes it."""
    subscribe_many(Mortal.topic, consumer=mortal.CONSUMER)(lambda _envelopes: None)
    try:
        with bound(committed_tenant, actor="system:test"):
            for number in range(EVENTS):
                publish(Mortal(number=number))
    finally:
        _handlers.pop(Mortal.topic)
        _many.pop(Mortal.topic)
    return committed_tenant


def killed(tenant: UUID, *, lives: int, minutes: int = 0, counted: bool = True) -> int:
    """Let a worker live so often; return how many lives ended by a kill."""
    wish = {
        "tenant": str(tenant),
        "poison": POISON,
        "most": MOST,
        "lives": lives,
        "minutes": minutes,
        "counted": counted,
    }
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", mortal.__file__, json.dumps(wish)],
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tms.settings",
            "TMS_DATABASE_URL": settings.TMS_OWNER_CONNINFO,
            "TMS_DB_ROLE": "app",
        },
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return int(ended.stdout.splitlines()[-1])


def states(tenant: UUID) -> dict[int, str]:
    with bound(tenant):
        found = Delivery.objects.filter(consumer=mortal.CONSUMER)
        return dict(found.values_list("event__payload__number", "state"))


def test_an_event_that_kills_its_worker_ends_up_alone_and_is_set_aside(waiting: UUID) -> None:
    kills = killed(waiting, lives=20)
    others = {number: "DONE" for number in range(EVENTS) if number != POISON}
    # One life ended by itself: all others are done while the one that kills waits for its turn.
    assert kills < 20
    assert states(waiting) == {**others, POISON: "WAITING"}
    for later in range(1, ATTEMPTS_MAX):
        kills += killed(waiting, lives=1, minutes=later)
        if states(waiting)[POISON] == "DEAD":
            break
    assert states(waiting) == {**others, POISON: "DEAD"}
    with bound(waiting):
        dead = Delivery.objects.get(consumer=mortal.CONSUMER, state="DEAD")
        assert dead.attempts == ATTEMPTS_MAX + 1
        assert "killed over it" in dead.last_error


def test_where_nobody_counts_beforehand_one_event_holds_up_all(waiting: UUID) -> None:
    assert killed(waiting, lives=ATTEMPTS_MAX + 2, counted=False) == ATTEMPTS_MAX + 2
    assert set(states(waiting).values()) == {"WAITING"}
    with bound(waiting):
        assert not Delivery.objects.exclude(consumer=mortal.CONSUMER, attempts=0).exists()
