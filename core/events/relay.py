"""Carry committed events outwards: sequence, Redis Streams `tms:<topic>`, websocket hints."""

import json
from typing import Any, Final
from uuid import UUID

import redis
import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from core import clock
from core.events.bus import Envelope, envelope_of
from core.events.models import OutboxEvent
from core.tenancy import bound, tenant_ids

logger = structlog.get_logger(__name__)

BATCH_MAX: Final = 500
STREAM_LENGTH_MAX: Final = 100_000
_SOCKET_TIMEOUT_SECONDS: Final = 2

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


def updates_group(tenant: UUID | str) -> str:
    """Return the websocket group of a tenant; clients cannot choose it."""
    return f"updates.{tenant}"


def relay(*, tenant: UUID, client: "redis.Redis") -> int:
    """Send the unrelayed events of `tenant` outwards, at least once, in sequence."""
    with bound(tenant, actor="system:relay"):
        rows = list(
            OutboxEvent.objects.filter(relayed_at=None, sequence__isnull=False).order_by(
                "sequence"
            )[:BATCH_MAX]
        )
        envelopes = [(row.pk, row.sequence or 0, envelope_of(row)) for row in rows]
    if not envelopes:
        return 0
    with client.pipeline(transaction=False) as pipeline:
        for _, sequence, envelope in envelopes:
            fields: dict[Any, Any] = {
                "envelope": json.dumps(envelope.as_json()),
                "sequence": sequence,
            }
            pipeline.xadd(  # type: ignore[no-untyped-call, unused-ignore]
                f"tms:{envelope.type}", fields, maxlen=STREAM_LENGTH_MAX, approximate=True
            )
        pipeline.execute()
    _hint(tenant, [envelope for _, _, envelope in envelopes], last=envelopes[-1][1])
    with bound(tenant, actor="system:relay"):
        OutboxEvent.objects.filter(pk__in=[pk for pk, _, _ in envelopes]).update(
            relayed_at=clock.now()
        )
    return len(envelopes)


def _hint(tenant: UUID, envelopes: list[Envelope], *, last: int) -> None:
    """Tell the tenant's sockets that there is news; they fetch it by cursor themselves."""
    layer = get_channel_layer()
    if layer is None:
        return
    topics = sorted({envelope.type for envelope in envelopes})
    message = {"type": "updates.hint", "sequence": last, "topics": topics}
    async_to_sync(layer.group_send)(updates_group(tenant), message)


def relay_all(client: "redis.Redis") -> int:
    """Sequence and relay for every tenant. Return the number of events sent."""
    sent = 0
    for tenant in tenant_ids():
        sequence_committed(tenant=tenant)
        sent += relay(tenant=tenant, client=client)
    return sent
