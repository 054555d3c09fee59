"""What has arrived is taken at once: in one commit, in order, and poison holds up nobody."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from core import clock
from core.events import Envelope, publish, subscribe_many
from core.events.bus import _handlers, _many
from core.events.drain import ATTEMPTS_MAX, claim, drain, handle_many
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


def test_a_worker_that_lost_its_lease_takes_nothing(tenant: Tenant, together: Together) -> None:
    publish(Happened(number=7))
    stale = claim(tenant=tenant.id, consumer=CONSUMER)
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        fresh = claim(tenant=tenant.id, consumer=CONSUMER)
        assert handle_many(tenant=tenant.id, claims=stale, handler=together) == 0
        assert handle_many(tenant=tenant.id, claims=fresh, handler=together) == 1
    assert together.batches == [[7]]


def test_who_takes_one_at_a_time_never_claims_what_is_taken_together(
    tenant: Tenant, together: Together
) -> None:
    publish(Happened(number=7))
    assert claim(tenant=tenant.id) == []
