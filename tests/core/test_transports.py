"""The same promises on either bus: every committed event, in order, again when not taken."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from channels.layers import get_channel_layer
from confluent_kafka import Consumer, Producer

from core.events import Event, publish
from core.events import relay as relaying
from core.events.models import OutboxEvent
from core.events.relay import relay, sequence_committed
from core.events.transports import (
    BusUnavailable,
    KafkaTopics,
    Numbered,
    RedisStreams,
    Transport,
    redis_client,
    transport,
    transport_faults,
)
from core.tenancy import Tenant

Read = Callable[[int], list[dict[str, Any]]]
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved(Event):
    topic: ClassVar[str] = "test.moved"
    number: int
    about: str = "thing"

    def aggregate(self) -> str:
        return self.about


@dataclass(frozen=True)
class Bus:
    """A real bus, what came out of it for this tenant, and how its server is taken away."""

    transport: Transport
    read: Read
    take_away: Callable[[], None]


@pytest.fixture(scope="module")
def brokers() -> Iterator[str]:
    """Offer the address of the cluster that librdkafka has built in for tests, while it lives."""
    cluster = Producer({"test.mock.num.brokers": 1})
    known = cluster.list_topics(timeout=PATIENCE_SECONDS).brokers
    yield ",".join(f"{one.host}:{one.port}" for one in known.values())
    del cluster


@pytest.fixture(params=["redis", "kafka"])
def bus(request: pytest.FixtureRequest, settings: Any, anew: None, tenant: Tenant) -> Bus:
    settings.TMS_EVENT_BUS = request.param
    if request.param == "redis":
        return _redis(settings, tenant.id)
    settings.TMS_KAFKA_BOOTSTRAP = request.getfixturevalue("brokers")
    return _kafka(settings, tenant.id)


def _redis(settings: Any, tenant: UUID) -> Bus:
    client = redis_client()

    def read(_wanted: int) -> list[dict[str, Any]]:
        found: Any = client.xrange("tms:test.moved")
        said = [json.loads(fields[b"envelope"]) for _, fields in found]
        return [one for one in said if one["tenant"] == str(tenant)]

    def take_away() -> None:
        settings.TMS_REDIS_URL = "redis://127.0.0.1:1/0"

    return Bus(transport(), read, take_away)


def _kafka(settings: Any, tenant: UUID) -> Bus:
    address = settings.TMS_KAFKA_BOOTSTRAP

    def read(wanted: int) -> list[dict[str, Any]]:
        consumer = Consumer(
            {
                "bootstrap.servers": address,
                "group.id": str(uuid4()),
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([Moved.topic])
        found: list[dict[str, Any]] = []
        while len(found) < wanted:
            message = consumer.poll(PATIENCE_SECONDS)
            assert message is not None, found
            headers = dict(message.headers() or [])
            if headers["tenant"] == str(tenant).encode():
                found.append(json.loads(message.value() or b""))
        consumer.close()
        return found

    def take_away() -> None:
        settings.TMS_KAFKA_BOOTSTRAP = "127.0.0.1:1"
        settings.TMS_KAFKA_OPTIONS = {"delivery.timeout.ms": 500, "log_level": 0}

    return Bus(transport(), read, take_away)


def _carried(tenant: Tenant, bus: Bus) -> int:
    sequence_committed(tenant=tenant.id)
    return relay(tenant=tenant.id, bus=bus.transport)


def test_every_event_goes_out_once_and_in_order(tenant: Tenant, bus: Bus) -> None:
    ids = [str(publish(Moved(number=number))) for number in range(20)]
    assert _carried(tenant, bus) == 20
    assert _carried(tenant, bus) == 0
    said = bus.read(20)
    assert [one["event_id"] for one in said] == ids
    assert [one["payload"]["number"] for one in said] == list(range(20))


def test_what_a_bus_did_not_take_is_sent_when_it_is_back(tenant: Tenant, bus: Bus) -> None:
    publish(Moved(number=1))
    present = bus.transport
    bus.take_away()
    away = transport()
    sequence_committed(tenant=tenant.id)
    with pytest.raises(BusUnavailable):
        relay(tenant=tenant.id, bus=away)
    assert OutboxEvent.objects.filter(relayed_at=None).count() == 1
    publish(Moved(number=2))
    assert _carried(tenant, Bus(present, bus.read, bus.take_away)) == 2
    assert [one["payload"]["number"] for one in bus.read(2)] == [1, 2]


def test_a_relay_that_dies_before_it_noted_it_sends_again_under_the_same_id(
    tenant: Tenant, bus: Bus
) -> None:
    """At least once: who listens drops the event id that it knows."""
    publish(Moved(number=1))
    _carried(tenant, bus)
    OutboxEvent.objects.update(relayed_at=None)  # as if the note had been lost
    _carried(tenant, bus)
    first, again = bus.read(2)
    assert first == again


def test_events_about_one_thing_share_a_partition(
    tenant: Tenant, brokers: str, settings: Any
) -> None:
    """Several partitions keep no order between them; one thing's events are in one of them."""
    places: dict[str, set[int]] = {}
    for number in range(40):
        publish(Moved(number=number, about=f"thing {number % 4}"))
    sequence_committed(tenant=tenant.id)
    settings.TMS_KAFKA_BOOTSTRAP = brokers
    relay(tenant=tenant.id, bus=KafkaTopics())
    consumer = Consumer(
        {"bootstrap.servers": brokers, "group.id": str(uuid4()), "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([Moved.topic])
    seen = 0
    while seen < 40:
        message = consumer.poll(PATIENCE_SECONDS)
        assert message is not None, seen
        if dict(message.headers() or [])["tenant"] != str(tenant.id).encode():
            continue
        seen += 1
        places.setdefault((message.key() or b"").decode(), set()).add(message.partition() or 0)
    consumer.close()
    assert sorted(places) == [f"thing {number}" for number in range(4)]
    assert {len(found) for found in places.values()} == {1}


def test_a_lost_hint_sends_no_event_twice(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """The websockets' server is away: events go out once, the hint follows when it is back."""
    publish(Moved(number=1))
    sequence_committed(tenant=tenant.id)
    sent: list[Numbered] = []

    class Taking:
        def send(self, batch: Any) -> None:
            sent.extend(batch)

    class Away:
        async def group_send(self, _group: str, _message: object) -> None:
            raise ConnectionError

    relaying._hints.waiting.clear()
    monkeypatch.setattr(relaying, "get_channel_layer", Away)
    assert relay(tenant=tenant.id, bus=Taking()) == 1
    assert relay(tenant=tenant.id, bus=Taking()) == 0
    assert len(sent) == 1
    assert set(relaying._hints.waiting) == {tenant.id}
    monkeypatch.setattr(relaying, "get_channel_layer", get_channel_layer)
    assert relay(tenant=tenant.id, bus=Taking()) == 0
    assert relaying._hints.waiting == {}


def test_the_choice_of_the_bus_is_checked(settings: Any) -> None:
    assert isinstance(transport(), RedisStreams)
    assert transport_faults() == []
    settings.TMS_EVENT_BUS = "carrier pigeon"
    assert transport_faults() == ["TMS_EVENT_BUS is one of redis, kafka"]
    settings.TMS_EVENT_BUS = "kafka"
    assert transport_faults() == ["TMS_EVENT_BUS=kafka needs TMS_KAFKA_BOOTSTRAP"]
    settings.TMS_KAFKA_BOOTSTRAP = "broker:9092"
    assert transport_faults() == []
    assert isinstance(transport(), KafkaTopics)
