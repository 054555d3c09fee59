"""What has arrived is taken at once: in one commit, in order, and poison holds up nobody."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from core import clock
from core.events import Envelope, publish, subscribe_many
from core.events import drain as draining
from core.events.bus import _handlers, _many
from core.events.drain import ATTEMPTS_MAX, claim, drain, handle, take_many
from core.events.models import Delivery, DeliveryState
from core.tenancy import Tenant
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
