"""Publish and subscribe. Publishing writes rows; nothing leaves the process before the commit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar
from uuid import UUID

import structlog
from django.db import connection, transaction

from core import clock
from core.events.models import Delivery, OutboxEvent
from core.ids import uuid7
from core.tenancy.context import current_tenant_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact in the past tense. Subclasses name their topic, version and payload fields."""

    topic: ClassVar[str] = ""
    version: ClassVar[int] = 1

    def aggregate(self) -> str:
        """Return what this event is about; events of one aggregate arrive in order."""
        return ""

    def payload(self) -> dict[str, Any]:
        """Return the wire form of the fields; override where a key of the contract is no field."""
        return {field.name: jsonable(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An event as a consumer receives it."""

    event_id: UUID
    type: str
    version: int
    tenant: UUID
    occurred_at: datetime
    correlation_id: UUID
    causation_id: UUID | None
    producer: str
    payload: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Return the wire form: ids and times as text."""
        return {field.name: jsonable(getattr(self, field.name)) for field in fields(self)}


Handler = Callable[[Envelope], None]
ManyHandler = Callable[[Sequence[Envelope]], None]
# Whether an event with this payload is anything to a consumer.
Concerns = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """Who takes many events of a topic at once; `several` of an aggregate, or one at a time."""

    topic: str
    consumer: str
    handler: ManyHandler
    several: bool


_handlers: dict[str, dict[str, Handler]] = {}
_many: dict[str, dict[str, "Many"]] = {}
_concerns: dict[tuple[str, str], Concerns] = {}
_cause: ContextVar[Envelope | None] = ContextVar("event_cause", default=None)
_trace: ContextVar[UUID | None] = ContextVar("event_trace", default=None)


def subscribe(topic: str, *, consumer: str) -> Callable[[Handler], Handler]:
    """Register a handler for `topic` under the stable name `consumer` (room.purpose)."""

    def register(handler: Handler) -> Handler:
        _handlers.setdefault(topic, {})[consumer] = handler
        return handler

    return register


def subscribe_many(
    topic: str, *, consumer: str, several: bool = False, concerns: Concerns | None = None
) -> Callable[[ManyHandler], ManyHandler]:
    """Register a handler that takes whatever has arrived of `topic`, oldest first, in one commit.

    At most one event of an aggregate is among them; with `several` as many as wait, for whom only
    the newest counts. When it fails, each is tried by itself. What the handler publishes has no
    single cause unless it names one (`caused_by`): it begins a correlation of its own. With
    `concerns` only events whose payload it says yes to are delivered at all.
    """

    def register(handler: ManyHandler) -> ManyHandler:
        _many.setdefault(topic, {})[consumer] = Many(
            topic=topic, consumer=consumer, handler=handler, several=several
        )
        if concerns is not None:
            _concerns[topic, consumer] = concerns
        subscribe(topic, consumer=consumer)(lambda envelope: handler([envelope]))
        return handler

    return register


def many_consumers() -> list[Many]:
    """Return everyone who takes many events at once."""
    return [one for found in _many.values() for one in found.values()]


def handler_for(topic: str, consumer: str) -> Handler | None:
    """Return the registered handler, or None when the code no longer knows it."""
    return _handlers.get(topic, {}).get(consumer)


def consumers_of(topic: str, payload: Mapping[str, Any]) -> tuple[str, ...]:
    """Return whom an event of `topic` with such a payload is delivered to.

    Writers of whole sets of events give what the payloads of all of them say alike.
    """
    return tuple(
        consumer
        for consumer in _handlers.get(topic, {})
        if (topic, consumer) not in _concerns or _concerns[topic, consumer](payload)
    )


def jsonable(value: Any) -> Any:
    """Return `value` as JSON can carry it: decimals, ids and times as text."""
    plain: Any
    match value:
        case Enum():
            plain = value.value
        case Decimal():
            plain = f"{value:f}"
        case datetime():
            plain = value.isoformat().replace("+00:00", "Z")
        case UUID() | date() | time():
            plain = str(value)
        case dict():
            plain = {str(key): jsonable(item) for key, item in value.items()}
        case list() | tuple():
            plain = [jsonable(item) for item in value]
        case _:
            plain = value
    return plain


@contextmanager
def caused_by(envelope: Envelope) -> Iterator[None]:
    """Carry correlation and causation of `envelope` to everything published inside."""
    token = _cause.set(envelope)
    try:
        with traced(envelope.correlation_id):
            yield
    finally:
        _cause.reset(token)


@contextmanager
def traced(trace_id: UUID | None) -> Iterator[None]:
    """Let everything published and logged inside belong to one trace; None changes nothing.

    The innermost trace counts; what caused an event is told apart from it. Lines of the log carry
    it as `correlation_id`, its 32 hexadecimal digits are a W3C trace id.
    """
    if trace_id is None:
        yield
        return
    token = _trace.set(trace_id)
    try:
        with structlog.contextvars.bound_contextvars(correlation_id=str(trace_id)):
            yield
    finally:
        _trace.reset(token)


def present_trace() -> UUID | None:
    """Return the trace that what happens now belongs to."""
    return _trace.get()


def publish(event: Event) -> UUID:
    """Write `event` to the outbox with one delivery per subscriber, in the caller's transaction."""
    cause = _cause.get()
    event_id = uuid7()
    moment = clock.now()
    payload = event.payload()
    row = OutboxEvent.objects.create(
        id=event_id,
        topic=event.topic,
        version=event.version,
        aggregate=event.aggregate(),
        payload=payload,
        occurred_at=moment,
        correlation_id=_trace.get() or event_id,
        causation_id=cause.event_id if cause else None,
        producer=type(event).__module__.partition(".")[0],
    )
    waiting = [
        Delivery(event=row, consumer=consumer, aggregate=row.aggregate, due_at=moment)
        for consumer in consumers_of(event.topic, payload)
    ]
    if waiting:
        Delivery.objects.bulk_create(waiting)
    wake_relay()
    return event_id


def wake_relay() -> None:
    """Have the commit tell the relay that there are events; once for a transaction."""
    if _is_first_of_its_transaction():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_notify('tms_outbox', %s)", [str(current_tenant_id())])


def _is_first_of_its_transaction() -> bool:
    """Say whether the relay still has to be told of this transaction: once, whatever it publishes.

    What a savepoint takes back is forgotten with it, the NOTIFY too, and asked for anew.
    """
    if any(entry[1] is _relay_was_told for entry in connection.run_on_commit):
        return False
    transaction.on_commit(_relay_was_told)
    return True


def _relay_was_told() -> None:
    """Mark a transaction whose commit carries the NOTIFY; there is nothing left to do."""


def envelope_of(row: OutboxEvent) -> Envelope:
    """Return the envelope of a stored event."""
    return Envelope(
        event_id=row.id,
        type=row.topic,
        version=row.version,
        tenant=UUID(str(row.tenant_id)),
        occurred_at=row.occurred_at,
        correlation_id=row.correlation_id,
        causation_id=row.causation_id,
        producer=row.producer,
        payload=row.payload,
    )
