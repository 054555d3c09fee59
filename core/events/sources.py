"""What other systems put on the bus for us: read at least once, acknowledged once it is kept.

A Redis stream, or a Kafka topic, of exactly the name that is given. A message has its body and
headers; what is refused goes to the stream or topic NAME.refused with the reason beside it.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final, Protocol

from django.conf import settings
from redis.exceptions import RedisError, ResponseError

from core.events.transports import KAFKA, STREAM_LENGTH_MAX, BusUnavailable, redis_client

TAKEN_MAX: Final = 500
GROUP: Final = "tms"
_BODY: Final = "body"
_KAFKA_TIMEOUT_SECONDS: Final = 10
_LOOK_SECONDS: Final = 60.0
_LIST_SECONDS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """A message: its place on the bus, what goes with it, and its bytes."""

    place: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A message that cannot be kept, and why."""

    message: Arrived
    why: str


class Source(Protocol):
    """A way in. After any failure it is closed and opened anew: what was not done comes again."""

    def take(self, seconds: float) -> list[Arrived]:
        """Return what is there, waiting for the first of it.

        Raises:
            BusUnavailable: the bus does not answer.
        """
        ...

    def done(self, batch: Sequence[Arrived], refused: Sequence[Refused]) -> None:
        """Put aside what was refused, and never show the batch again.

        Raises:
            BusUnavailable: the bus did not take it; the batch comes again.
        """
        ...

    def close(self) -> None:
        """Let go of the bus."""
        ...


class RedisSource:
    """A stream read by one consumer group; fields are headers, and `body`.

    There is one consumer: who takes its place first sees what was taken and not done.
    """

    def __init__(self, name: str) -> None:
        """Join the group, which begins with the oldest that is kept.

        Raises:
            BusUnavailable: the bus does not answer.
        """
        self._name, self._client = name, redis_client()
        self._after = "0"
        try:
            with suppress(ResponseError):  # the group is there
                self._client.xgroup_create(name, GROUP, id="0", mkstream=True)
        except (RedisError, OSError) as error:
            raise BusUnavailable("Valkey does not answer.") from error

    def take(self, seconds: float) -> list[Arrived]:
        """Return what was left undone, and then what is new."""
        try:
            found: Any = self._client.xreadgroup(
                GROUP,
                GROUP,
                {self._name: self._after},
                count=TAKEN_MAX,
                block=max(1, int(seconds * 1_000)),
            )
        except (RedisError, OSError) as error:
            raise BusUnavailable("Valkey does not answer.") from error
        rows = [row for _, entries in _streams(found) for row in entries]
        if not rows and self._after == "0":
            self._after = ">"
            return self.take(seconds)
        return [_from_redis(place, fields) for place, fields in rows]

    def done(self, batch: Sequence[Arrived], refused: Sequence[Refused]) -> None:
        """Acknowledge the batch in one transaction with what is put aside."""
        try:
            with self._client.pipeline(transaction=True) as pipeline:
                for one in refused:
                    fields: dict[Any, Any] = {
                        **one.message.headers,
                        _BODY: one.message.body,
                        "why": one.why,
                        "place": one.message.place,
                    }
                    pipeline.xadd(  # type: ignore[no-untyped-call, unused-ignore]
                        f"{self._name}.refused", fields, maxlen=STREAM_LENGTH_MAX, approximate=True
                    )
                pipeline.xack(self._name, GROUP, *(one.place for one in batch))  # type: ignore[no-untyped-call, unused-ignore]
                pipeline.execute()
        except (RedisError, OSError) as error:
            raise BusUnavailable("Valkey did not take the acknowledgement.") from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _streams(found: Any) -> Any:
    return found.items() if isinstance(found, dict) else found or []


def _from_redis(place: bytes, fields: Mapping[bytes, bytes] | None) -> Arrived:
    """Return an entry; one that was trimmed away meanwhile has neither headers nor body."""
    texts = {key.decode(errors="replace"): value for key, value in (fields or {}).items()}
    body = texts.pop(_BODY, b"")
    headers = {key: value.decode(errors="replace") for key, value in texts.items()}
    return Arrived(place=place.decode(), headers=headers, body=body)


class KafkaSource:
    """A topic read under the name of one group; places are committed after messages are kept.

    There is one reader, who takes all partitions by himself: nobody waits for a group to agree.
    """

    def __init__(self, name: str) -> None:
        """Begin where the group has come to, at first with the oldest that is kept.

        Raises:
            BusUnavailable: the bus does not answer, or has no such topic yet.
        """
        from confluent_kafka import Consumer

        self._name, self._trouble = name, ""
        self._consumer = Consumer(
            {
                **_known(),
                "group.id": f"{GROUP}.{name}",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "error_cb": self._troubled,
            }
        )
        self._partitions: frozenset[int] = frozenset()
        self._looked_at = 0.0
        self._look()

    def take(self, seconds: float) -> list[Arrived]:
        """Return what has come."""
        from confluent_kafka import KafkaException

        try:
            if monotonic() - self._looked_at > _LOOK_SECONDS:
                self._look()
            first = self._consumer.poll(seconds)
            rest = self._consumer.consume(num_messages=TAKEN_MAX - 1, timeout=0) if first else []
        except KafkaException as error:
            raise BusUnavailable("Kafka does not answer.") from error
        found = [first, *rest] if first else []
        faults = [fault.name() for one in found if (fault := one.error()) is not None]
        if self._trouble or faults:
            raise BusUnavailable(f"Kafka does not answer: {self._trouble or faults[0]}.")
        return [_from_kafka(one) for one in found]

    def _look(self) -> None:
        """Take all partitions that there are, each from its committed place."""
        from confluent_kafka import KafkaException, TopicPartition

        try:
            topics = self._consumer.list_topics(self._name, timeout=_LIST_SECONDS).topics
        except KafkaException as error:
            raise BusUnavailable("Kafka does not answer.") from error
        found = frozenset(topics[self._name].partitions)
        if not found:
            raise BusUnavailable(f"Kafka has no topic {self._name} yet.")
        fresh = [TopicPartition(self._name, one) for one in sorted(found - self._partitions)]
        if fresh:
            self._consumer.incremental_assign(fresh)
        self._partitions, self._looked_at = found, monotonic()

    def _troubled(self, error: Any) -> None:
        if error.fatal() or error.name() == "_ALL_BROKERS_DOWN":
            self._trouble = error.name()

    def done(self, batch: Sequence[Arrived], refused: Sequence[Refused]) -> None:
        """Write down what is put aside, then commit the places after the batch."""
        from confluent_kafka import KafkaException, TopicPartition

        try:
            if refused:
                self._put_aside(refused)
            after: dict[int, int] = {}
            for message in batch:
                partition, offset = map(int, message.place.split(":"))
                after[partition] = max(after.get(partition, 0), offset + 1)
            places = [TopicPartition(self._name, *place) for place in after.items()]
            self._consumer.commit(offsets=places, asynchronous=False)
        except (KafkaException, BufferError) as error:
            raise BusUnavailable("Kafka did not take the acknowledgement.") from error

    def _put_aside(self, refused: Sequence[Refused]) -> None:
        from confluent_kafka import Producer

        lost: list[Any] = []
        producer = Producer({"acks": "all", **_known()})
        for one in refused:
            message = one.message
            producer.produce(
                f"{self._name}.refused",
                value=message.body,
                headers={**message.headers, "why": one.why, "place": message.place},
                on_delivery=lambda fault, _: lost.append(fault) if fault is not None else None,
            )
        if producer.flush(_KAFKA_TIMEOUT_SECONDS) or lost:
            producer.purge()
            raise BusUnavailable("Kafka did not take what was refused.")

    def close(self) -> None:
        """Leave the bus."""
        self._consumer.close()


def _known() -> dict[str, Any]:
    """Return the settings of the installation that readers and writers share."""
    known = {
        "client.id": "tms-intake",
        "bootstrap.servers": settings.TMS_KAFKA_BOOTSTRAP,
        **settings.TMS_KAFKA_OPTIONS,
    }
    known.pop("delivery.timeout.ms", None)
    return known


def _from_kafka(message: Any) -> Arrived:
    headers = {
        key: value.decode(errors="replace") if isinstance(value, bytes) else str(value or "")
        for key, value in message.headers() or []
    }
    return Arrived(
        place=f"{message.partition()}:{message.offset()}",
        headers=headers,
        body=message.value() or b"",
    )


def source(name: str) -> Source:
    """Return the way in of that name, on the bus that the installation uses.

    Raises:
        BusUnavailable: the bus does not answer.
    """
    return KafkaSource(name) if settings.TMS_EVENT_BUS == KAFKA else RedisSource(name)
