"""Deliver waiting events to their consumers: claim with a lease, handle, complete, all fenced."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import DatabaseError, connection

from core import clock
from core.errors import DomainError, Invalid, NotFound
from core.events import wake
from core.events.bus import (
    Envelope,
    Many,
    caused_by,
    envelope_of,
    handler_for,
    many_consumers,
)
from core.events.models import Delivery, DeliveryState, OutboxEvent
from core.tenancy import bound, tenant_ids

logger = structlog.get_logger(__name__)

ATTEMPTS_MAX: Final = 8
LEASE_SECONDS: Final = 30
# Whoever drains takes a few at a time, so that others find something to help with.
BATCH_MAX: Final = 10
# What is taken together is committed together.
MANY_MAX: Final = 500
# A batch whose worker was killed is tried again with a quarter of it; from so many times on alone.
ALONE_FROM_ATTEMPTS: Final = 4
BACKOFF_SECONDS_MAX: Final = 60

# Oldest first within (consumer, aggregate): a delivery waits for its elder unless that one is dead.
# Chosen once, whatever the plan: a subquery of the UPDATE would be asked again for every row, find
# the ones before locked or gone, and in the end have claimed more than its limit. An UPDATE returns
# its rows in whatever order its plan meets them, so they are put in order once more.
_CLAIMED = """
    WITH chosen AS MATERIALIZED (
        SELECT c.id FROM core_delivery c
         WHERE c.state = 'WAITING' AND c.consumer > '' AND c.due_at <= %(now)s
           AND (c.locked_until IS NULL OR c.locked_until < %(now)s)
           AND {whose}
           AND NOT EXISTS (
                SELECT 1 FROM core_delivery e
                 WHERE e.consumer = c.consumer AND e.aggregate = c.aggregate AND c.aggregate <> ''
                   AND e.state = 'WAITING' AND e.event_id < c.event_id)
         ORDER BY c.due_at, c.event_id LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
    claimed AS (
        UPDATE core_delivery d
           SET locked_until = %(lease)s, fence = d.fence + 1, attempts = d.attempts + 1
          FROM chosen, core_outboxevent o
         WHERE d.id = chosen.id AND o.id = d.event_id
        RETURNING d.id, d.fence, d.consumer, o.correlation_id::text, d.due_at, d.event_id)
    SELECT id, fence, consumer, correlation_id FROM claimed ORDER BY due_at, event_id
"""
_CLAIM: Final = _CLAIMED.format(whose="NOT c.consumer = ANY(%(many)s)")
_CLAIM_MANY: Final = _CLAIMED.format(whose="c.consumer = %(consumer)s")
# How long before the oldest that was found somebody may still commit what was due earlier.
OVERLAP: Final = timedelta(seconds=1)
WHOLE_LOOK_SECONDS: Final = 5.0
# The instant as text: the standard library reads it in a fraction of the driver's time.
_TAKE: Final = """
    SELECT t.event, t.topic, t.version, t.occurred_at::text, t.correlation, t.causation, t.producer,
           t.payload
      FROM core_take_deliveries(%s, %s, %s, %s, %s) t
"""
_BEGIN: Final = "SELECT * FROM core_begin_deliveries(%s, %s, %s, %s, %s, %s, %s)"
_TAKE_BACK: Final = """
    UPDATE core_delivery SET attempts = attempts - 1
     WHERE id = ANY(%s) AND state = 'WAITING' AND attempts > 0
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A delivery that this worker may handle until its lease ends."""

    delivery: UUID
    fence: int
    consumer: str
    correlation: str


class LeaseLost(Exception):
    """Another worker took the delivery over; this one's effect must not commit."""


def claim(*, tenant: UUID, limit: int = BATCH_MAX, consumer: str = "") -> list[Claim]:
    """Lease up to `limit` due deliveries of `tenant`, and return them oldest first.

    Those of `consumer`, or else of everyone who takes one event at a time.
    """
    now = clock.now()
    facts: dict[str, datetime | int | str | list[str]] = {
        "now": now,
        "lease": now + timedelta(seconds=LEASE_SECONDS),
        "limit": limit,
        "consumer": consumer,
        "many": [one.consumer for one in many_consumers()],
    }
    with bound(tenant, actor="system:drain"), connection.cursor() as cursor:
        cursor.execute(_CLAIM_MANY if consumer else _CLAIM, facts)
        return [
            Claim(delivery=row[0], fence=row[1], consumer=row[2], correlation=row[3])
            for row in cursor.fetchall()
        ]


def handle(*, tenant: UUID, claimed: Claim) -> bool:
    """Run one delivery's handler; effect and completion commit together. Return whether it did."""
    try:
        with bound(tenant, actor=f"system:{claimed.consumer}", request=claimed.correlation):
            delivery = (
                Delivery.objects.select_for_update(of=("self",))
                .select_related("event")
                .get(pk=claimed.delivery)
            )
            if delivery.fence != claimed.fence or delivery.state != DeliveryState.WAITING:
                return False
            _run(delivery)
            delivery.state = DeliveryState.DONE
            delivery.done_at = clock.now()
            delivery.last_error = ""
            delivery.save(update_fields=["state", "done_at", "last_error"])
    except Exception as error:  # noqa: BLE001 - the one door where any failure becomes a retry
        record_failure(tenant=tenant, claimed=claimed, error=error)
        return False
    return True


def take_many(*, tenant: UUID, many: Many) -> int:
    """Let a handler take whatever has arrived, at most `MANY_MAX`; return how many.

    Effect and completion commit together. Where it fails nothing is left of it, and each event is
    claimed and handled by itself, so that one that cannot be handled holds up no other. That it
    was begun is committed before: when its worker is killed over it, the next batch is a quarter of
    it, until the event that does it is alone, waits like every other failure, and is set aside.
    """
    begun = _begun(tenant, many)
    if begun is None:
        return 0
    if not begun.takes:
        return _alone(tenant, many, limit=1)
    try:
        with bound(tenant, actor=f"system:{many.consumer}"):
            if arrived := _arrived(tenant, many, begun):
                many.handler(arrived)
    except Exception as error:  # noqa: BLE001 - each is tried again alone, and tells its failure
        logger.warning("batch_failed", consumer=many.consumer, error=type(error).__name__)
        _take_back(tenant, begun)
        return _alone(tenant, many, limit=MANY_MAX)
    if not arrived:  # another worker was quicker
        _take_back(tenant, begun)
    return len(arrived)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """How many may be taken together (0: one, alone), and whose attempts were counted for it.

    `oldest`: when the one that leads the batch was due; before it nothing is free.
    """

    takes: int
    counted: tuple[UUID, ...]
    oldest: datetime


@dataclass(slots=True)
class _Look:
    """From when on this process looks for what waits, and when it last looked at everything."""

    since: datetime
    whole_at: float


EVER: Final = datetime.min.replace(tzinfo=UTC)
_looks: dict[tuple[UUID, str], _Look] = {}


def _begun(tenant: UUID, many: Many) -> _Begun | None:
    """Begin a batch near where the last one began; everything is looked at now and then.

    A look at everything passes by all that is done and not cleared away yet: after a minute of two
    thousand events a second that costs more than to decide several small batches. It finds who
    committed long after the instant that his event was due at, while others keep the queue busy.
    """
    look = _looks.get((tenant, many.consumer))
    if look is not None and time.monotonic() - look.whole_at < WHOLE_LOOK_SECONDS:
        begun = _begin(tenant, many, since=look.since)
        if begun is not None:
            look.since = max(look.since, begun.oldest - OVERLAP)
            return begun
    begun = _begin(tenant, many, since=EVER)
    if begun is None:
        _looks.pop((tenant, many.consumer), None)
    else:
        _looks[tenant, many.consumer] = _Look(
            since=begun.oldest - OVERLAP, whole_at=time.monotonic()
        )
    return begun


def _begin(tenant: UUID, many: Many, *, since: datetime) -> _Begun | None:
    """Count, in a commit of its own, that a batch is begun; None where nothing has arrived."""
    now = clock.now()
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                _BEGIN,
                [tenant, many.consumer, MANY_MAX, now, many.several, ALONE_FROM_ATTEMPTS, since],
            )
            found = cursor.fetchone()
    except DatabaseError:
        # No transaction is open that would give up a connection that was lost.
        connection.close_if_unusable_or_obsolete()
        raise
    if found is None:
        return None
    takes, counted, oldest = found
    if takes < MANY_MAX:
        logger.warning("batch_taken_up_again", consumer=many.consumer, takes=takes or 1)
    return _Begun(takes=takes, counted=tuple(counted), oldest=oldest)


def _take_back(tenant: UUID, begun: _Begun) -> None:
    """Give back what was counted for a batch that ended otherwise than with its worker."""
    with bound(tenant, actor="system:drain"), connection.cursor() as cursor:
        cursor.execute(_TAKE_BACK, [list(begun.counted)])


def _alone(tenant: UUID, many: Many, *, limit: int) -> int:
    """Claim what has arrived and handle one after the other; return how many were handled."""
    claims = claim(tenant=tenant, limit=limit, consumer=many.consumer)
    return sum(handle(tenant=tenant, claimed=claimed) for claimed in claims)


def _arrived(tenant: UUID, many: Many, begun: _Begun) -> list[Envelope]:
    """Complete what waits for the consumer, and return it, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [many.consumer, begun.takes, clock.now(), many.several, begun.oldest])
        return [
            Envelope(
                event_id=event,
                type=topic,
                version=version,
                tenant=tenant,
                occurred_at=datetime.fromisoformat(occurred_at),
                correlation_id=correlation,
                causation_id=causation,
                producer=producer,
                payload=json.loads(payload),
            )
            for (
                event, topic, version, occurred_at, correlation, causation, producer, payload,
            ) in cursor.fetchall()
        ]  # fmt: skip


def _run(delivery: Delivery) -> None:
    if delivery.attempts > ATTEMPTS_MAX:
        raise Invalid("Whoever took it was killed over it, time after time.")
    envelope = envelope_of(delivery.event)
    handler = handler_for(envelope.type, delivery.consumer)
    if handler is None:
        raise NotFound(f"No code handles {envelope.type} for {delivery.consumer}.")
    with caused_by(envelope):
        handler(envelope)


def record_failure(*, tenant: UUID, claimed: Claim, error: Exception) -> None:
    """Schedule the next attempt, later each time, or set the delivery aside as a dead letter."""
    hopeless = isinstance(error, Invalid | NotFound)
    message = error.message if isinstance(error, DomainError) else type(error).__name__
    if isinstance(error, DatabaseError):
        message = f"{message}: {str(error).splitlines()[0]}"
    with bound(tenant, actor="system:drain"):
        delivery = Delivery.objects.select_for_update().get(pk=claimed.delivery)
        if delivery.fence != claimed.fence or delivery.state != DeliveryState.WAITING:
            return
        delivery.last_error = message[:2_000]
        delivery.locked_until = None
        if hopeless or delivery.attempts >= ATTEMPTS_MAX:
            delivery.state = DeliveryState.DEAD
        else:
            delivery.due_at = next_attempt_at(delivery.attempts)
        delivery.save(update_fields=["last_error", "locked_until", "state", "due_at"])
    logger.warning(
        "delivery_failed",
        delivery=str(claimed.delivery),
        consumer=delivery.consumer,
        attempts=delivery.attempts,
        state=delivery.state,
        error=message,
        exc_info=None if isinstance(error, DomainError) else error,
    )


def next_attempt_at(attempts: int) -> datetime:
    """Return when attempt `attempts` + 1 is due: 1, 2, 4 … seconds later, at most a minute."""
    return clock.now() + timedelta(seconds=min(2 ** (attempts - 1), BACKOFF_SECONDS_MAX))


def drain(*, tenant: UUID, rounds_max: int = 100) -> int:
    """Handle what waits for `tenant`, in rounds because handlers publish more. Return the count.

    The relay hears of every commit and drains; a worker is called when it finds a full batch. An
    extra task for each event would cost more than most events do.
    """
    handled, called = 0, False
    for _ in range(rounds_max):
        taken = _drain_many(tenant)
        handled += taken
        claims = claim(tenant=tenant)
        if not claims and taken:
            continue
        if not claims:
            break
        if len(claims) == BATCH_MAX and not called:
            wake.workers()
            called = True
        handled += sum(handle(tenant=tenant, claimed=claimed) for claimed in claims)
    return handled


def _drain_many(tenant: UUID) -> int:
    """Hand whatever has arrived to those who take many events at once, a commit for each."""
    handled = 0
    for many in many_consumers():
        handled += take_many(tenant=tenant, many=many)
    return handled


def drain_all() -> int:
    """Drain every tenant."""
    return sum(drain(tenant=tenant) for tenant in tenant_ids())


def replay_dead_letters(*, consumer: str | None = None) -> int:
    """Put the bound tenant's dead letters (of `consumer`) back to work. Return their number."""
    dead = Delivery.objects.filter(state=DeliveryState.DEAD)
    if consumer:
        dead = dead.filter(consumer=consumer)
    return dead.update(
        state=DeliveryState.WAITING, attempts=0, due_at=clock.now(), locked_until=None
    )


def redeliver(*, event: OutboxEvent, consumer: str) -> None:
    """Deliver a stored event again to one consumer, as if it had not been handled."""
    Delivery.objects.filter(event=event, consumer=consumer).update(
        state=DeliveryState.WAITING,
        attempts=0,
        due_at=clock.now(),
        locked_until=None,
        done_at=None,
    )
