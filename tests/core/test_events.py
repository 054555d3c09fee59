"""Events commit with their cause, arrive at least once, take effect once, in order."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import pytest
from django.db import connection, transaction

from core import clock
from core.events import Envelope, Event, publish, subscribe
from core.events.bus import _handlers
from core.events.drain import ATTEMPTS_MAX, claim, drain, handle, redeliver, replay_dead_letters
from core.events.models import Delivery, DeliveryState, OutboxEvent
from core.events.relay import sequence_committed
from core.tenancy import Tenant, bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened(Event):
    topic: ClassVar[str] = "test.happened"
    number: int
    about: str = "thing"

    def aggregate(self) -> str:
        return self.about


class Recorder:
    """A consumer that remembers what it was given, and refuses what it is told to refuse."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.refuse: set[int] = set()

    def __call__(self, envelope: Envelope) -> None:
        if envelope.payload["number"] in self.refuse:
            raise ConnectionError
        self.numbers.append(envelope.payload["number"])


@pytest.fixture
def consumer() -> Any:
    recorder = Recorder()
    subscribe(Happened.topic, consumer="test.recorder")(recorder)
    yield recorder
    _handlers.pop(Happened.topic)


def test_a_rolled_back_cause_leaves_no_event(tenant: Tenant, consumer: Recorder) -> None:
    with bound(tenant.id):
        publish(Happened(number=1))
        transaction.set_rollback(True)
    assert OutboxEvent.objects.count() == 0
    assert drain(tenant=tenant.id) == 0


def test_a_consumer_gets_each_event_once_and_in_order(tenant: Tenant, consumer: Recorder) -> None:
    for number in range(5):
        publish(Happened(number=number))
    drain(tenant=tenant.id)
    drain(tenant=tenant.id)
    assert consumer.numbers == [0, 1, 2, 3, 4]


def test_poison_becomes_a_dead_letter_and_blocks_nothing(
    tenant: Tenant, consumer: Recorder
) -> None:
    consumer.refuse = {0}
    publish(Happened(number=0, about="a"))
    publish(Happened(number=1, about="b"))
    publish(Happened(number=2, about="a"))
    moment = clock.now()
    for _ in range(ATTEMPTS_MAX):
        with clock.frozen(moment):
            drain(tenant=tenant.id)
        moment += timedelta(minutes=5)
    dead = Delivery.objects.get(state=DeliveryState.DEAD)
    assert dead.last_error == "ConnectionError"
    with clock.frozen(moment):
        drain(tenant=tenant.id)
    assert consumer.numbers == [1, 2]

    consumer.refuse = set()
    assert replay_dead_letters() == 1
    drain(tenant=tenant.id)
    assert consumer.numbers == [1, 2, 0]


def test_an_elder_of_the_same_aggregate_holds_its_juniors_back(
    tenant: Tenant, consumer: Recorder
) -> None:
    consumer.refuse = {0}
    publish(Happened(number=0))
    publish(Happened(number=1))
    drain(tenant=tenant.id)
    assert consumer.numbers == []


def test_a_worker_that_lost_its_lease_has_no_effect(tenant: Tenant, consumer: Recorder) -> None:
    publish(Happened(number=7))
    (stale,) = claim(tenant=tenant.id)
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        (fresh,) = claim(tenant=tenant.id)
        assert handle(tenant=tenant.id, claimed=stale) is False
        assert handle(tenant=tenant.id, claimed=fresh) is True
    assert consumer.numbers == [7]


def test_what_a_dead_worker_held_comes_back_by_the_end_of_its_lease_alone(
    tenant: Tenant, consumer: Recorder
) -> None:
    """The negative control of recovery: a lease that does not end gives nothing back."""
    publish(Happened(number=8))
    claim(tenant=tenant.id)  # and dies
    endless = clock.now() + timedelta(days=3_650)
    Delivery.objects.update(locked_until=endless)
    with clock.frozen(clock.now() + timedelta(minutes=2)):
        assert drain(tenant=tenant.id) == 0
        Delivery.objects.update(locked_until=clock.now() - timedelta(seconds=1))
        assert drain(tenant=tenant.id) == 1
    assert consumer.numbers == [8]


def test_an_event_can_be_replayed_to_a_consumer(tenant: Tenant, consumer: Recorder) -> None:
    publish(Happened(number=3))
    drain(tenant=tenant.id)
    redeliver(event=OutboxEvent.objects.get(), consumer="test.recorder")
    drain(tenant=tenant.id)
    assert consumer.numbers == [3, 3]


def test_what_a_handler_publishes_names_its_cause(tenant: Tenant) -> None:
    @subscribe(Happened.topic, consumer="test.chain")
    def answer(envelope: Envelope) -> None:
        if envelope.payload["number"] == 1:
            publish(Happened(number=2))

    try:
        first = publish(Happened(number=1))
        drain(tenant=tenant.id)
    finally:
        _handlers.pop(Happened.topic)
    second = OutboxEvent.objects.exclude(pk=first).get()
    assert (second.causation_id, second.correlation_id) == (first, first)


WRITERS, EACH = 8, 60


def _write(tenant: UUID, seed: int) -> None:
    for number in range(EACH):
        with bound(tenant):
            publish(Happened(number=seed * EACH + number, about=str(seed)))
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(%s)", [((seed * 7 + number) % 5) / 1_000])
    connection.close()


def _read_by_sequence(tenant: UUID, done: threading.Event, seen: list[UUID]) -> None:
    position = 0
    while True:
        last_round = done.is_set()
        sequence_committed(tenant=tenant)
        with bound(tenant):
            rows = list(OutboxEvent.objects.filter(sequence__gt=position).order_by("sequence"))
        seen.extend(row.pk for row in rows)
        position = rows[-1].sequence or 0 if rows else position
        if last_round and not rows:
            return connection.close()


def _read_by_id(tenant: UUID, done: threading.Event, seen: list[UUID]) -> None:
    position = UUID(int=0)
    while True:
        last_round = done.is_set()
        with bound(tenant):
            rows = list(OutboxEvent.objects.filter(id__gt=position).order_by("id"))
        seen.extend(row.pk for row in rows)
        position = rows[-1].pk if rows else position
        if last_round and not rows:
            return connection.close()


def _race(tenant: UUID, read: Callable[[UUID, threading.Event, list[UUID]], None]) -> list[UUID]:
    done = threading.Event()
    seen: list[UUID] = []
    reading = threading.Thread(target=read, args=(tenant, done, seen))
    writing = [threading.Thread(target=_write, args=(tenant, seed)) for seed in range(WRITERS)]
    for thread in [reading, *writing]:
        thread.start()
    for thread in writing:
        thread.join()
    done.set()
    reading.join()
    return seen


def test_a_reader_by_sequence_misses_nothing_while_writers_race(committed_tenant: UUID) -> None:
    seen = _race(committed_tenant, _read_by_sequence)
    with bound(committed_tenant):
        everything = set(OutboxEvent.objects.values_list("pk", flat=True))
    assert len(seen) == len(set(seen)) == WRITERS * EACH
    assert set(seen) == everything


def test_a_reader_by_id_does_miss_some(committed_tenant: UUID) -> None:
    """The negative control of P9: ids are given before the commit, so later ones show first."""
    assert len(set(_race(committed_tenant, _read_by_id))) < WRITERS * EACH
