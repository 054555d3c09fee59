"""Where committed events go: Redis Streams `tms:<topic>`, or the Kafka topics of the same names.

Both carry the same envelope in the same order and at least once; a batch that was not taken whole
is sent again. Which one is used says TMS_EVENT_BUS.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import redis
import structlog
from django.conf import settings
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from core.errors import DomainError
from core.events.bus import Envelope

logger = structlog.get_logger(__name__)

REDIS, KAFKA = "redis", "kafka"
BUSES: Final = (REDIS, KAFKA)
STREAM_LENGTH_MAX: Final = 100_000
_SOCKET_TIMEOUT_SECONDS: Final = 2
_KAFKA_TIMEOUT_SECONDS: Final = 10


class BusUnavailable(DomainError):
    """The bus did not take the whole batch; it is sent again."""

    code = "event_bus_unavailable"
    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbered:
    """An event with its place in the tenant's sequence, and what it is about."""

    sequence: int
    aggregate: str
    envelope: Envelope

    def body(self) -> bytes:
        """Return the envelope as every bus carries it."""
        return json.dumps(self.envelope.as_json()).encode()


class Transport(Protocol):
    """A way out for events."""

    def send(self, batch: Sequence[Numbered]) -> None:
        """Send a batch in its order; return when all of it is taken.

        Raises:
            BusUnavailable: not all of it was.
        """
        ...


def redis_client() -> "redis.Redis":
    """Return a client with timeouts: a stuck server must never hang a process.

    A connection that a restart ended is tried once more; ten patient tries, the library's own
    habit, would add up to a hang.
    """
    return redis.Redis.from_url(
        settings.TMS_REDIS_URL,
        socket_timeout=_SOCKET_TIMEOUT_SECONDS,
        socket_connect_timeout=_SOCKET_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 1),
    )


class RedisStreams:
    """Streams of bounded length; the fields are `envelope` and `sequence`."""

    def __init__(self) -> None:
        self._client = redis_client()

    def send(self, batch: Sequence[Numbered]) -> None:
        """Append to the streams, in one round trip."""
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for one in batch:
                    fields: dict[Any, Any] = {"envelope": one.body(), "sequence": one.sequence}
                    pipeline.xadd(  # type: ignore[no-untyped-call, unused-ignore]
                        f"tms:{one.envelope.type}",
                        fields,
                        maxlen=STREAM_LENGTH_MAX,
                        approximate=True,
                    )
                pipeline.execute()
        except (RedisError, OSError) as error:
            raise BusUnavailable("Valkey did not take the events.") from error


class KafkaTopics:
    """Topics keyed by what an event is about, so that its events stay in order in one partition."""

    def __init__(self) -> None:
        self._producer: Any = None
        self._settings = {
            "client.id": "tms-relay",
            # What a retry repeats, the brokers drop; nothing overtakes.
            "enable.idempotence": True,
            "acks": "all",
            "delivery.timeout.ms": _KAFKA_TIMEOUT_SECONDS * 1_000,
            "linger.ms": 5,
            "bootstrap.servers": settings.TMS_KAFKA_BOOTSTRAP,
            **settings.TMS_KAFKA_OPTIONS,
        }

    def send(self, batch: Sequence[Numbered]) -> None:
        """Produce and wait until every replica that must has each event."""
        from confluent_kafka import KafkaError, KafkaException

        refused: list[KafkaError] = []

        def taken(error: KafkaError | None, _message: object) -> None:
            if error is not None:
                refused.append(error)

        producer = self._connected()
        try:
            for one in batch:
                producer.produce(
                    one.envelope.type,
                    key=one.aggregate or str(one.envelope.event_id),
                    value=one.body(),
                    headers={
                        "tenant": str(one.envelope.tenant),
                        "event_id": str(one.envelope.event_id),
                        "sequence": str(one.sequence),
                    },
                    on_delivery=taken,
                )
            waiting = producer.flush(_KAFKA_TIMEOUT_SECONDS)
        except (KafkaException, BufferError) as error:
            self._forget()
            raise BusUnavailable("Kafka did not take the events.") from error
        if refused or waiting:
            self._forget()
            why = refused[0].name() if refused else "no answer in time"
            logger.warning("kafka_refused", why=why, refused=len(refused), waiting=waiting)
            raise BusUnavailable(f"Kafka did not take {len(refused) + waiting} events: {why}.")

    def _connected(self) -> Any:
        if self._producer is None:
            from confluent_kafka import Producer

            self._producer = Producer(self._settings)
        return self._producer

    def _forget(self) -> None:
        """Drop the producer with all it holds: what it would still send is sent anew, in order."""
        if self._producer is not None:
            self._producer.purge()
            self._producer = None


def transport() -> Transport:
    """Return the bus that the installation uses."""
    return KafkaTopics() if settings.TMS_EVENT_BUS == KAFKA else RedisStreams()


def transport_faults() -> list[str]:
    """Return what is wrong with the choice of the bus."""
    if settings.TMS_EVENT_BUS not in BUSES:
        return [f"TMS_EVENT_BUS is one of {', '.join(BUSES)}"]
    if settings.TMS_EVENT_BUS != KAFKA:
        return []
    faults = (
        [] if settings.TMS_KAFKA_BOOTSTRAP else ["TMS_EVENT_BUS=kafka needs TMS_KAFKA_BOOTSTRAP"]
    )
    try:
        import confluent_kafka  # noqa: F401 - is it there?
    except ImportError:
        faults.append("TMS_EVENT_BUS=kafka needs the packages of requirements/kafka.txt")
    return faults
