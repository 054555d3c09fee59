"""Which accounts had news since their positions were told to other systems."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.db import connection

from core.events.models import OutboxEvent
from treasury.events import CashPosition

READ_MAX: Final = 5_000

# Balances and entries, sweeps and deals name their accounts; a movement names its proposal.
_NEWS: Final = """
WITH fresh AS MATERIALIZED (
    SELECT o.sequence, o.topic, o.payload FROM core_outboxevent o
     WHERE o.sequence > %(after)s
       AND o.topic IN ('ops.nostro.balance.update', 'ops.fund.movement.status',
                       'sweep.order.created', 'sweep.order.acked', 'sweep.order.failed',
                       'fx.deal.instruction')
     ORDER BY o.sequence LIMIT %(limit)s
), named AS (
    SELECT (jsonb_path_query(f.payload, '$.**.account_id') #>> '{}')::uuid AS account FROM fresh f
     UNION
    SELECT moved.account FROM fresh f
      JOIN treasury_proposal p ON p.id = (f.payload ->> 'proposal_id')::uuid
     CROSS JOIN LATERAL (VALUES (p.debit_account_id), (p.credit_account_id)) moved(account)
     WHERE f.topic = 'ops.fund.movement.status'
)
SELECT (SELECT max(sequence) FROM fresh), array_agg(a.id ORDER BY a.id)
  FROM named n JOIN treasury_bankaccount a ON a.id = n.account AND a.is_active
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Accounts with news, and the place in the sequence of events up to which they are known."""

    accounts: tuple[UUID, ...]
    through: int


def news_after(place: int) -> News:
    """Return what had news after a place in the tenant's sequence, at most of `READ_MAX` events.

    Events about none of our open accounts are passed by, however many.
    """
    found: list[UUID] | None = None
    last: int | None = place
    with connection.cursor() as cursor:
        while last is not None and not found:
            place = last
            cursor.execute(_NEWS, {"after": place, "limit": READ_MAX})
            last, found = cursor.fetchone() or (None, None)
    return News(accounts=tuple(found or ()), through=place if last is None else last)


def told_through() -> int | None:
    """Return the place up to which positions were told; None before the first time."""
    told = OutboxEvent.objects.filter(topic=CashPosition.topic).order_by("-id")
    payload = told.values_list("payload", flat=True).first()
    return int(payload["through"]) if payload else None


def newest_place() -> int:
    """Return the newest place that was given."""
    places = OutboxEvent.objects.filter(sequence__isnull=False).order_by("-sequence")
    return places.values_list("sequence", flat=True).first() or 0
