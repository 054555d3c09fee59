"""What has arrived is taken at once: in one commit, in order, and poison holds up nobody."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import OperationalError, connection

from core import clock
from core.events import Envelope, publish, subscribe_many
from core.events import drain as draining
from core.events.bus import _concerns, _handlers, _many, many_consumers
from core.events.drain import ATTEMPTS_MAX, claim, drain, handle, take_many
from core.events.listening import connect
from core.events.models import Delivery, DeliveryState
from core.tenancy import Tenant, bound
from tests.core.test_events import Happened

CONSUMER = "test.together"


class Together:
    """A consumer that remembers what it was given together; it refuses what it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.refuse: set[int] = set()

    def __call__(self, envelopes: Sequence[Envelope]) -> None:
        numbers = [one.payload["number"] for one in envelopes]
        if self.refuse & {*numbers}:
            raise ConnectionError
        self.batches.append(numbers)


@pytest.fixture
def together() -> Iterator[Together]:
    consumer = Together()
    subscribe_many(Happened.topic, consumer=CONSUMER)(consumer)
    yield consumer
    _handlers.pop(Happened.topic)
    _many.pop(Happened.topic)


def test_what_has_arrived_is_taken_in_one_go(tenant: Tenant, together: Together) -> None:
    for number in range(25):
        publish(Happened(number=number, about=f"thing {number}"))
    assert drain(tenant=tenant.id) == 25
    assert together.batches == [list(range(25))]
    assert not Delivery.objects.exclude(state=DeliveryState.DONE).exists()


def test_what_does_not_concern_a_consumer_is_not_delivered_to_it(tenant: Tenant) -> None:
    """Not even as a row that is done; without `concerns` everything is."""
    consumer, other = Together(), Together()
    subscribe_many(
        Happened.topic, consumer=CONSUMER, concerns=lambda facts: facts["number"] % 2 == 0
    )(consumer)
    try:
        subscribe_many(Happened.topic, consumer="test.other")(other)
        for number in range(4):
            publish(Happened(number=number, about=f"thing {number}"))
        assert Delivery.objects.filter(consumer=CONSUMER).count() == 2
        assert Delivery.objects.filter(consumer="test.other").count() == 4
        while drain(tenant=tenant.id):
            pass
        assert (consumer.batches, other.batches) == ([[0, 2]], [[0, 1, 2, 3]])
    finally:
        _handlers.pop(Happened.topic)
        _many.pop(Happened.topic)
        _concerns.pop((Happened.topic, CONSUMER))


def test_one_of_an_aggregate_at_a_time_and_in_order(tenant: Tenant, together: Together) -> None:
    for number in range(4):
        publish(Happened(number=number, about="a" if number % 2 else "b"))
    drain(tenant=tenant.id)
    assert together.batches == [[0, 1], [2, 3]]


def test_poison_in_a_batch_becomes_a_dead_letter_alone(tenant: Tenant, together: Together) -> None:
    together.refuse = {1}
    for number in range(3):
        publish(Happened(number=number, about=f"thing {number}"))
    moment = clock.now()
    for _ in range(ATTEMPTS_MAX):
        with clock.frozen(moment):
            drain(tenant=tenant.id)
        moment += timedelta(minutes=5)
    assert together.batches == [[0], [2]]
    assert Delivery.objects.get(state=DeliveryState.DEAD).event.payload["number"] == 1


@pytest.mark.parametrize("off", [(), ("nestloop",), ("nestloop", "hashjoin")])
def test_what_is_claimed_comes_oldest_first_whatever_the_plan(
    tenant: Tenant, together: Together, off: tuple[str, ...]
) -> None:
    """Also where the newest was written first: the order of the rows is not that of the table."""
    moment = clock.now()
    for number in reversed(range(9)):
        with clock.frozen(moment - timedelta(seconds=9 - number)):
            publish(Happened(number=number, about=f"thing {number}"))
    with connection.cursor() as cursor:
        for kind in off:
            cursor.execute(f"SET LOCAL enable_{kind} = off")
    claims = claim(tenant=tenant.id, consumer=CONSUMER)
    number_of = dict(Delivery.objects.values_list("id", "event__payload__number"))
    assert [number_of[one.delivery] for one in claims] == [*range(9)]


def test_a_worker_that_lost_its_lease_handles_nothing(tenant: Tenant, together: Together) -> None:
    publish(Happened(number=7))
    (stale,) = claim(tenant=tenant.id, consumer=CONSUMER)
    assert drain(tenant=tenant.id) == 0
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        assert drain(tenant=tenant.id) == 1
        assert not handle(tenant=tenant.id, claimed=stale)
    assert together.batches == [[7]]


def test_several_of_an_aggregate_are_taken_in_order_where_only_the_newest_counts(
    tenant: Tenant, together: Together
) -> None:
    subscribe_many(Happened.topic, consumer=CONSUMER, several=True)(together)
    for number in range(4):
        publish(Happened(number=number, about="a" if number % 2 else "b"))
    drain(tenant=tenant.id)
    assert together.batches == [[0, 1, 2, 3]]


@pytest.mark.parametrize("several", [True, False])
def test_an_elder_that_is_tried_again_later_holds_up_its_aggregate_only(
    tenant: Tenant, together: Together, *, several: bool
) -> None:
    subscribe_many(Happened.topic, consumer=CONSUMER, several=several)(together)
    together.refuse = {1}
    for number in range(5):
        publish(Happened(number=number, about="a" if number % 2 else "b"))
    drain(tenant=tenant.id)
    assert [number for batch in together.batches for number in batch] == [0, 2, 4]
    together.refuse = set()
    with clock.frozen(clock.now() + timedelta(minutes=5)):
        drain(tenant=tenant.id)
    assert [number for batch in together.batches[-2:] for number in batch][-2:] == [1, 3]


@pytest.mark.parametrize("several", [True, False])
def test_those_behind_an_elder_that_waits_take_no_place_from_others(
    tenant: Tenant, together: Together, monkeypatch: pytest.MonkeyPatch, *, several: bool
) -> None:
    monkeypatch.setattr(draining, "MANY_MAX", 3)
    subscribe_many(Happened.topic, consumer=CONSUMER, several=several)(together)
    together.refuse = {0}
    publish(Happened(number=0, about="a"))
    drain(tenant=tenant.id)
    for number in range(1, 5):
        publish(Happened(number=number, about="a"))
    publish(Happened(number=9, about="b"))
    drain(tenant=tenant.id)
    assert together.batches == [[9]]


@pytest.mark.parametrize("youngers", [3, 8, 40])
def test_youngers_of_an_elder_that_is_tried_again_do_not_stop_the_queue(
    tenant: Tenant, together: Together, youngers: int
) -> None:
    """They came while it waited, so they are due before it: more than a small batch holds."""
    subscribe_many(Happened.topic, consumer=CONSUMER, several=True)(together)
    many, moment = _many[Happened.topic][CONSUMER], clock.now()
    together.refuse = {0}
    publish(Happened(number=0, about="thing"))
    for _ in range(3):
        with clock.frozen(moment):
            take_many(tenant=tenant.id, many=many)
        moment = Delivery.objects.get().due_at
    together.refuse = set()
    with clock.frozen(moment - timedelta(seconds=1)):
        for number in range(1, youngers + 1):
            publish(Happened(number=number, about="thing"))
        publish(Happened(number=999, about="another"))

    for _ in range(3):
        with clock.frozen(moment):
            take_many(tenant=tenant.id, many=many)

    told = [number for batch in together.batches for number in batch]
    assert [one for one in told if one != 999] == list(range(youngers + 1))
    assert 999 in told
    assert not Delivery.objects.exclude(state=DeliveryState.DONE).exists()
    younger = Delivery.objects.exclude(event__payload__number=0)
    assert {one.attempts for one in younger} == {1}


def test_no_more_than_the_most_are_taken_and_the_rest_stays_in_order(
    tenant: Tenant, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "MANY_MAX", 2)
    subscribe_many(Happened.topic, consumer=CONSUMER, several=True)(together)
    for number in range(5):
        publish(Happened(number=number, about="a"))
    many = _many[Happened.topic][CONSUMER]
    assert [take_many(tenant=tenant.id, many=many) for _ in range(4)] == [2, 2, 1, 0]
    assert together.batches == [[0, 1], [2, 3], [4]]


def test_who_takes_one_at_a_time_never_claims_what_is_taken_together(
    tenant: Tenant, together: Together
) -> None:
    publish(Happened(number=7))
    assert claim(tenant=tenant.id) == []


def _publish_both(tenant: UUID, count: int) -> None:
    with bound(tenant, actor="system:test"):
        for number in range(count):
            publish(Happened(number=number, about="a" if number % 2 else "b"))


def _another() -> psycopg.Connection[Any]:
    known = connection.settings_dict
    return psycopg.connect(
        host=known["HOST"],
        port=known["PORT"],
        dbname=known["NAME"],
        user=known["USER"],
        password=known["PASSWORD"],
    )


@pytest.mark.parametrize(("held", "taken"), [(0, [1, 3]), (3, [0, 1, 2])])
def test_what_another_worker_holds_is_passed_by_with_what_follows_it(
    committed_tenant: UUID, together: Together, held: int, taken: list[int]
) -> None:
    """And the control: once it lets go, the rest is taken, in order."""
    subscribe_many(Happened.topic, consumer=CONSUMER, several=True)(together)
    _publish_both(committed_tenant, 4)
    many = _many[Happened.topic][CONSUMER]
    with _another() as other:
        other.execute("SELECT set_config('app.tenant', %s, true)", [str(committed_tenant)])
        other.execute(
            "SELECT FROM core_delivery d JOIN core_outboxevent e ON e.id = d.event_id"
            " WHERE d.consumer = %s AND e.payload ->> 'number' = %s FOR UPDATE OF d",
            [CONSUMER, str(held)],
        )
        assert take_many(tenant=committed_tenant, many=many) == len(taken)
        assert together.batches == [taken]
        other.rollback()
    take_many(tenant=committed_tenant, many=many)
    assert together.batches == [taken, [one for one in range(4) if one not in taken]]


def test_workers_that_take_at_one_instant_keep_the_order_and_double_nothing(
    committed_tenant: UUID, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draining, "MANY_MAX", 3)
    subscribe_many(Happened.topic, consumer=CONSUMER, several=True)(together)
    _publish_both(committed_tenant, 30)
    many = _many[Happened.topic][CONSUMER]
    ready = threading.Barrier(3)

    def work(_number: int) -> int:
        try:
            ready.wait()
            return sum(take_many(tenant=committed_tenant, many=many) for _ in range(30))
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(work, range(3))) == 30
    order = [number for batch in together.batches for number in batch]
    for rest in (0, 1):
        assert [one for one in order if one % 2 == rest] == list(range(rest, 30, 2))


def test_a_backend_that_dies_under_a_batch_loses_and_doubles_nothing(
    committed_tenant: UUID, together: Together
) -> None:
    _publish_both(committed_tenant, 2)
    pids: list[int] = []

    def dying(envelopes: Sequence[Envelope]) -> None:
        together(envelopes)
        if not pids:
            connection.ensure_connection()
            pids.append(connection.connection.info.backend_pid)
            with _another() as other:
                other.execute("SELECT pg_terminate_backend(%s, 5000)", pids)

    many = replace(_many[Happened.topic][CONSUMER], handler=dying)
    assert take_many(tenant=committed_tenant, many=many) == 2
    # Nothing of the batch was left, so each was handled by itself, as if for the first time.
    assert together.batches == [[0, 1], [0], [1]]
    with bound(committed_tenant):
        done = Delivery.objects.filter(state=DeliveryState.DONE, attempts=1, fence=1)
        assert done.count() == Delivery.objects.count() == 2


@pytest.fixture
def late(tenant: Tenant, together: Together) -> None:
    """The queue was just looked at; then somebody commits what was due an hour ago, and now."""
    publish(Happened(number=0, about="first"))
    assert take_many(tenant=tenant.id, many=many_of_test()) == 1
    with clock.frozen(clock.now() - timedelta(hours=1)):
        publish(Happened(number=1, about="late"))


def many_of_test() -> Any:
    return next(one for one in many_consumers() if one.consumer == CONSUMER)


@pytest.mark.usefixtures("late")
def test_what_was_due_long_ago_is_taken_where_nothing_else_waits(
    tenant: Tenant, together: Together
) -> None:
    assert take_many(tenant=tenant.id, many=many_of_test()) == 1
    assert together.batches == [[0], [1]]


@pytest.mark.usefixtures("late")
def test_everything_is_looked_at_now_and_then(
    tenant: Tenant, together: Together, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(Happened(number=2, about="new"))
    take_many(tenant=tenant.id, many=many_of_test())
    assert together.batches == [[0], [2]]
    publish(Happened(number=3, about="newer"))
    monkeypatch.setattr(draining, "WHOLE_LOOK_SECONDS", 0.0)
    take_many(tenant=tenant.id, many=many_of_test())
    assert together.batches == [[0], [2], [1, 3]]


def test_what_was_due_a_moment_before_the_oldest_is_taken_with_it(
    tenant: Tenant, together: Together
) -> None:
    """Whoever began earlier may commit later."""
    moment = clock.now()
    for number, seconds in ((0, 0.0), (1, -0.7), (2, 0.1)):
        with clock.frozen(moment + timedelta(seconds=seconds)):
            publish(Happened(number=number, about=f"thing {number}"))
        if number == 0:
            with clock.frozen(moment):
                take_many(tenant=tenant.id, many=many_of_test())
    with clock.frozen(moment + timedelta(seconds=1)):
        take_many(tenant=tenant.id, many=many_of_test())
    assert together.batches == [[0], [1, 2]]


# As the functions plan it: once, for whatever consumer.
_ELDERS = """PREPARE elders(text, text, uuid) AS
    SELECT 1 FROM core_delivery e WHERE e.consumer = $1 AND e.aggregate = $2
    AND e.state = 'WAITING' AND e.event_id < $3"""


@pytest.mark.parametrize("along", [False, True])
def test_elders_of_an_aggregate_are_not_looked_for_along_the_queue(
    tenant: Tenant, *, along: bool
) -> None:
    """Not even where the planner believes that hardly anything waits: what is done lies there."""
    more = " AND e.consumer > '' ORDER BY e.due_at, e.event_id" if along else ""
    with connection.cursor() as cursor:
        for kind in ("seqscan", "bitmapscan", "sort", "incremental_sort"):
            cursor.execute(f"SET LOCAL enable_{kind} = off")
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(_ELDERS + more)
        cursor.execute(f"EXPLAIN EXECUTE elders('{CONSUMER}', 'thing', '{tenant.id}')")
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute("DEALLOCATE elders")
    assert ("delivery_in_turn" in plan) == along
    assert "delivery_waiting" not in plan


def test_to_begin_a_batch_leaves_the_tenant_that_was_bound(
    tenant: Tenant, other_tenant: Tenant, together: Together
) -> None:
    publish(Happened(number=1))
    (many,) = [one for one in many_consumers() if one.consumer == CONSUMER]
    with bound(other_tenant.id, actor="system:test"):
        assert draining._begin(tenant.id, many, since=draining.EVER) is not None
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('app.tenant')")
            assert cursor.fetchone() == (str(other_tenant.id),)


def test_who_lost_the_connection_goes_on_with_another(
    committed_tenant: UUID, together: Together
) -> None:
    with bound(committed_tenant, actor="system:test"):
        publish(Happened(number=1))
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (mine,) = cursor.fetchone()
    (many,) = [one for one in many_consumers() if one.consumer == CONSUMER]
    with connect() as another:
        another.execute("SELECT pg_terminate_backend(%s)", [mine])
    with pytest.raises(OperationalError):
        take_many(tenant=committed_tenant, many=many)
    assert take_many(tenant=committed_tenant, many=many) == 1
