"""What others put on either bus: in order, again until it is done, refused ones put aside."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import Consumer, Producer

from core.events.sources import (
    Arrived,
    RedisSource,
    Refused,
    Source,
    source,
)
from core.events.transports import BusUnavailable, redis_client
from tests.core.test_transports import PATIENCE_SECONDS

Message = tuple[bytes, dict[str, str]]


@dataclass(frozen=True)
class Way:
    """A stream or topic of its own, how others write to it, and what lies aside."""

    name: str
    write: Callable[[bytes, dict[str, str]], None]
    put_aside: Callable[[], Message]


@pytest.fixture(scope="module")
def brokers() -> Iterator[str]:
    """Offer the address of the cluster that librdkafka has built in for tests, while it lives."""
    cluster = Producer({"test.mock.num.brokers": 1})
    known = cluster.list_topics(timeout=PATIENCE_SECONDS).brokers
    yield ",".join(f"{one.host}:{one.port}" for one in known.values())
    del cluster


@pytest.fixture(params=["redis", "kafka"])
def way(request: pytest.FixtureRequest, settings: Any, anew: None) -> Way:
    settings.TMS_EVENT_BUS = request.param
    if request.param == "redis":
        return _redis()
    settings.TMS_KAFKA_BOOTSTRAP = request.getfixturevalue("brokers")
    return _kafka(settings.TMS_KAFKA_BOOTSTRAP)


def _redis() -> Way:
    name, client = f"others.{uuid4()}", redis_client()

    def write(body: bytes, headers: dict[str, str]) -> None:
        fields: dict[Any, Any] = {**headers, "body": body}
        client.xadd(name, fields)

    def put_aside() -> Message:
        rows: Any = client.xrange(f"{name}.refused")
        ((_, fields),) = rows
        texts = {key.decode(): value for key, value in fields.items()}
        return texts.pop("body"), {key: value.decode() for key, value in texts.items()}

    return Way(name, write, put_aside)


def _kafka(address: str) -> Way:
    name, producer = f"others.{uuid4()}", Producer({"bootstrap.servers": address})

    def write(body: bytes, headers: dict[str, str]) -> None:
        producer.produce(name, value=body, headers=[*headers.items()], partition=0)
        assert producer.flush(PATIENCE_SECONDS) == 0

    def put_aside() -> Message:
        reader = Consumer(
            {"bootstrap.servers": address, "group.id": name, "auto.offset.reset": "earliest"}
        )
        reader.subscribe([f"{name}.refused"])
        found = reader.poll(PATIENCE_SECONDS)
        reader.close()
        assert found is not None
        headers: Any = found.headers() or []
        return found.value() or b"", {
            str(key): bytes(value or b"").decode() for key, value in dict(headers).items()
        }

    return Way(name, write, put_aside)


def bodies(way: Source, wanted: int) -> list[bytes]:
    """Take and finish batches until there are as many."""
    found: list[bytes] = []
    while len(found) < wanted:
        batch = taken(way)
        found += [one.body for one in batch]
        way.done(batch, [])
    return found


def taken(way: Source) -> list[Arrived]:
    """Return the next batch, however many looks it takes."""
    for _ in range(int(PATIENCE_SECONDS)):
        if batch := way.take(1.0):
            return batch
    raise AssertionError("nothing came")


def test_what_others_write_is_read_in_order_and_once(way: Way) -> None:
    for number in range(20):
        way.write(b"%d" % number, {"tenant": "t"})
    first = source(way.name)
    assert bodies(first, 20) == [b"%d" % number for number in range(20)]
    assert first.take(0.1) == []
    first.close()
    way.write(b"later", {})
    second = source(way.name)
    assert bodies(second, 1) == [b"later"]
    second.close()


def test_what_was_taken_and_not_done_comes_again(way: Way) -> None:
    """As after a kill: whoever opens the way next sees it first, and then what is new."""
    way.write(b"one", {"tenant": "t"})
    dying = source(way.name)
    (first,) = taken(dying)
    dying.close()
    way.write(b"two", {})
    heir = source(way.name)
    assert bodies(heir, 2) == [b"one", b"two"]
    heir.close()
    assert first.headers == {"tenant": "t"}


def test_what_is_refused_lies_aside_with_the_reason(way: Way) -> None:
    way.write(b"\xffnonsense", {"tenant": "t", "signature": "v1=0"})
    way.write(b"good", {})
    reading = source(way.name)
    batch = taken(reading)
    reading.done(batch, [Refused(message=batch[0], why="no JSON")])
    body, headers = way.put_aside()
    assert body == b"\xffnonsense"
    assert headers == {
        "tenant": "t", "signature": "v1=0", "why": "no JSON", "place": batch[0].place,
    }  # fmt: skip
    assert b"good" in [one.body for one in batch] or bodies(reading, 1) == [b"good"]
    reading.close()


def test_an_emptied_stream_is_begun_anew(settings: Any, anew: None) -> None:
    """Valkey may be emptied: the group is made again, with whatever is written from then on."""
    way = _redis()
    way.write(b"one", {})
    reading = RedisSource(way.name)
    assert bodies(reading, 1) == [b"one"]
    redis_client().delete(way.name)
    with pytest.raises(BusUnavailable):
        reading.take(0.1)
    way.write(b"two", {})
    assert bodies(RedisSource(way.name), 1) == [b"two"]


def test_a_bus_that_is_away_is_said_to_be(settings: Any, anew: None) -> None:
    settings.TMS_REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(BusUnavailable):
        source("others")
    settings.TMS_EVENT_BUS, settings.TMS_KAFKA_BOOTSTRAP = "kafka", "127.0.0.1:1"
    settings.TMS_KAFKA_OPTIONS = {"log_level": 0}
    with pytest.raises(BusUnavailable, match="Kafka does not answer"):
        source("others")
