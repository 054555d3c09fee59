"""Carry committed events outwards: sequence, the event bus, websocket hints."""

from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import connection
from redis.exceptions import RedisError

from core import clock
from core.events.bus import envelope_of
from core.events.models import OutboxEvent
from core.events.transports import Numbered, Transport
from core.tenancy import bound, tenant_ids

logger = structlog.get_logger(__name__)

BATCH_MAX: Final = 500

_SEQUENCE = """
    WITH fresh AS (
        SELECT id, row_number() OVER (ORDER BY id) AS step FROM core_outboxevent
         WHERE sequence IS NULL ORDER BY id LIMIT %(limit)s),
    last AS (SELECT coalesce(max(sequence), 0) AS sequence FROM core_outboxevent)
    UPDATE core_outboxevent o SET sequence = last.sequence + fresh.step
      FROM fresh, last WHERE o.id = fresh.id
"""


def sequence_committed(*, tenant: UUID) -> int:
    """Number the committed events that have no sequence yet; one relay at a time per tenant."""
    with bound(tenant, actor="system:relay"), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 11))", [str(tenant)])
        cursor.execute(_SEQUENCE, {"limit": BATCH_MAX})
        return int(cursor.rowcount)


def updates_group(tenant: UUID | str) -> str:
    """Return the websocket group of a tenant; clients cannot choose it."""
    return f"updates.{tenant}"


@dataclass(slots=True)
class _Hints:
    """What sockets are still to be told: the newest sequence and the topics, per tenant."""

    waiting: dict[UUID, tuple[int, set[str]]] = field(default_factory=dict)

    def add(self, tenant: UUID, batch: list[Numbered]) -> None:
        _, topics = self.waiting.get(tenant, (0, set()))
        news = {one.envelope.type for one in batch}
        self.waiting[tenant] = (batch[-1].sequence, topics | news)

    def tell(self) -> None:
        """Tell the tenants' sockets that there is news; they fetch it by cursor themselves."""
        layer = get_channel_layer()
        for tenant, (last, topics) in list(self.waiting.items()):
            message = {"type": "updates.hint", "sequence": last, "topics": sorted(topics)}
            try:
                if layer is not None:
                    async_to_sync(layer.group_send)(updates_group(tenant), message)
            except (RedisError, OSError) as error:
                # The events are out; only the hint waits, so they are not sent twice for its sake.
                logger.warning("hint_waits", error=type(error).__name__)
                return
            del self.waiting[tenant]


_hints = _Hints()


def relay(*, tenant: UUID, bus: Transport) -> int:
    """Send the unrelayed events of `tenant` outwards, at least once, in sequence.

    Raises:
        BusUnavailable: the bus did not take them all; nothing counts as sent.
    """
    with bound(tenant, actor="system:relay"):
        rows = list(
            OutboxEvent.objects.filter(relayed_at=None, sequence__isnull=False).order_by(
                "sequence"
            )[:BATCH_MAX]
        )
        batch = [
            Numbered(sequence=row.sequence or 0, aggregate=row.aggregate, envelope=envelope_of(row))
            for row in rows
        ]
    if batch:
        bus.send(batch)
        with bound(tenant, actor="system:relay"):
            OutboxEvent.objects.filter(pk__in=[row.pk for row in rows]).update(
                relayed_at=clock.now()
            )
        _hints.add(tenant, batch)
    _hints.tell()
    return len(batch)


def relay_all(bus: Transport) -> int:
    """Sequence and relay for every tenant. Return the number of events sent."""
    sent = 0
    for tenant in tenant_ids():
        sequence_committed(tenant=tenant)
        sent += relay(tenant=tenant, bus=bus)
    return sent
